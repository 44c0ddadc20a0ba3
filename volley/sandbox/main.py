"""`python -m volley.sandbox`: options into a config, then serve on uvloop."""

import argparse
import dataclasses
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop

from volley.errors import UnusableInput, VolleyError
from volley.sandbox.config import API_KEY, DEFAULT_POOL, Pool, ProfileSpec, ReceiptSpec, SandboxConfig, parse
from volley.sandbox.server import serve
from volley.sender import SenderType, sender_type


def run(options: Sequence[str] | None = None) -> int:
    """Runs until SIGINT or SIGTERM; an exit code. `options` as on the command line, None takes sys.argv."""
    try:
        run_config(_config(_parser().parse_args(options)))
    except VolleyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def run_config(config: SandboxConfig) -> None:
    """The process is the sandbox's own from here: uvloop, and a collector that leaves what was loaded alone."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    uvloop.run(serve(config))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("volley sandbox", description="A local Telnyx that can fail on command.")
    parser.add_argument("--config", help="a whole config as JSON, or @FILE; the other options are then ignored")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--key", action="append", help=f"an API key that is let in (default {API_KEY})")
    parser.add_argument("--pool", action="append", metavar="TYPE=COUNT@RATE", help="e.g. long_code=20@0.1; repeatable")
    parser.add_argument("--account-rate", type=float, default=0.0, help="parts/s, 0 without limit")
    parser.add_argument("--account-mms-rate", type=float, default=0.0, help="MMS/s, 0 without limit")
    parser.add_argument(
        "--webhook-url", default="", help="the profile's: for texts that come in, and for messages without their own"
    )
    parser.add_argument("--webhook-failover-url", default="")
    parser.add_argument("--schedule-min-s", type=float, default=300.0, help="how far ahead send_at must be")
    parser.add_argument(
        "--cancel-min-s", type=float, default=60.0, help="how far ahead a message must be to be cancelled"
    )
    parser.add_argument("--records-lag-s", type=float, default=0.0, help="how late detail records are")
    parser.add_argument("--latency-ms", type=float, nargs=2, default=(0.0, 0.0), metavar=("FROM", "TO"))
    parser.add_argument("--receipts", choices=("on", "off", "defer"), default="on")
    parser.add_argument("--idempotency", choices=("honoured", "ignored"), default="honoured")
    parser.add_argument("--log", type=Path, help="append what arrives to this file")
    parser.add_argument("--keep-log", type=int, help="sends that its log and its statistics hold (default: all)")
    parser.add_argument("--fsync", action="store_true", help="no answer before its arrival is on the disk")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _config(options: argparse.Namespace) -> SandboxConfig:
    if options.config is not None:
        return parse(_text(options.config))
    return SandboxConfig(
        host=options.host,
        port=options.port,
        api_keys=tuple(options.key or [API_KEY]),
        profiles=(_profile(options),),
        account_rate=options.account_rate,
        account_mms_rate=options.account_mms_rate,
        schedule_min_s=options.schedule_min_s,
        cancel_min_s=options.cancel_min_s,
        records_lag_s=options.records_lag_s,
        latency_ms=tuple(options.latency_ms),
        receipts=dataclasses.replace(ReceiptSpec(), mode=options.receipts),
        idempotency=options.idempotency,
        log=options.log,
        keep_log=options.keep_log,
        fsync=options.fsync,
        seed=options.seed,
    )


def _profile(options: argparse.Namespace) -> ProfileSpec:
    return ProfileSpec(
        pool=pool_of(options.pool or []),
        webhook_url=options.webhook_url,
        webhook_failover_url=options.webhook_failover_url,
    )


def _text(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInput(f"{given[1:]}: {error}") from None


def pool_of(words: Sequence[str]) -> Pool:
    """`["long_code=20@0.1"]` → `(("long_code", 20, 0.1),)`; the default pool for none. Raises UnusableInput."""
    return tuple(_row(word) for word in words) or DEFAULT_POOL


def _row(word: str) -> tuple[SenderType, int, float]:
    kind, _, amounts = word.partition("=")
    count, _, rate = amounts.partition("@")
    try:
        return sender_type(kind), int(count), float(rate or 0)
    except (KeyError, ValueError):
        raise UnusableInput(f"--pool {word}: write TYPE=COUNT@RATE, as in toll_free=4@20") from None
