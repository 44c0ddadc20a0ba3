"""The demo's processes: Valkey, sandbox, serve, worker, each its own, in a folder that goes when they go."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from producer.cli.output import note
from producer.supervisor import Child, Supervisor, volley_command
from volley.embedded import EmbeddedValkey, free_port
from volley.sandbox.config import (
    API_KEY,
    PROFILE_ID,
    NumberPool,
    Pool,
    Price,
    ProfileSpec,
    ReceiptSpec,
    SandboxConfig,
    Tariff,
)
from volley.sandbox.process import SandboxProcess
from volley.settings import Settings, load

PROFILE = PROFILE_ID

LONG_CODES, LONG_CODE_RATE = 24, 10
TOLL_FREES, TOLL_FREE_RATE = 4, 60
ACCOUNT_RATE = 220
"""Parts per second. Much above a real account's, so that ten thousand messages take about a minute."""

_POOL: Pool = (("long_code", LONG_CODES, LONG_CODE_RATE), ("toll_free", TOLL_FREES, TOLL_FREE_RATE))


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs. `arrivals` is the sandbox's own log of what reached it."""

    folder: Path
    settings: Settings
    arrivals: Path
    children: Supervisor
    env: Mapping[str, str]

    @property
    def address(self) -> str:
        """Where serve listens."""
        return f"http://127.0.0.1:{self.settings.serve_port}"

    def leave_settings(self) -> None:
        """Other commands that run in the folder find them."""
        ours = (f"{name}={value}\n" for name, value in self.env.items() if name.startswith(("VOLLEY_", "TELNYX_")))
        path = self.folder / ".env"
        path.touch(mode=0o600)
        path.write_text("".join(ours), "utf-8")


@contextlib.asynccontextmanager
async def stage(kept: Path | None) -> AsyncIterator[Stage]:
    """Starts everything in order; stops it in reverse, whatever happens."""
    with _folder(kept) as folder:
        port = free_port()
        async with (
            EmbeddedValkey(folder / "valkey") as valkey,
            SandboxProcess(_carrier(folder)) as sandbox,
            Supervisor(note, restarts=False) as children,
        ):
            (folder / "volley.toml").write_text(_RATES, "utf-8")
            env = _environment(folder, valkey.url, sandbox, port)
            for name in ("serve", "worker"):
                log = folder / f"{name}.log"
                await children.start(Child(name, volley_command(name), env, log, cwd=folder))
            yield Stage(folder, load(env, folder), sandbox.log_path, children, env)


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="volley-demo-")) if kept is None else kept.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        if kept is None:
            shutil.rmtree(folder, ignore_errors=True)


def _carrier(folder: Path) -> SandboxConfig:
    """A carrier as carriers are: it takes its time, some messages fail, some receipts come twice or in the wrong order."""
    return SandboxConfig(
        profiles=(ProfileSpec(pool=_POOL, number_pool=NumberPool(sticky_sender=True)),),
        account_rate=ACCOUNT_RATE,
        latency_ms=(20, 60),
        tariff=Tariff(price=Price(rate="0.004", carrier_fee="0.0045"), by_prefix=_ABROAD),
        receipts=ReceiptSpec(done_after_s=(0.2, 1.5), failed=0.02, unconfirmed=0.01, duplicated=0.05, reversed=0.05),
        log=folder / "arrivals.jsonl",
    )


_ABROAD = {
    prefix: Price(rate=rate, carrier_fee="0")
    for prefix, rate in {"+44": "0.04", "+46": "0.055", "+49": "0.078", "+61": "0.035"}.items()
}
"""Near what the price table that comes with Volley expects, not equal to it: estimates are estimates."""

_RATES = f"""\
[rates]
account = {ACCOUNT_RATE}
long_code = {LONG_CODE_RATE}
toll_free = {TOLL_FREE_RATE}
"""


def _environment(folder: Path, redis_url: str, sandbox: SandboxProcess, port: int) -> dict[str, str]:
    """The children's: nothing of the settings that this machine has of its own."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("VOLLEY_", "TELNYX_"))}
    return own | {
        "VOLLEY_HOME": str(folder),
        "VOLLEY_REDIS_URL": redis_url,
        "VOLLEY_SERVE_PORT": str(port),
        "VOLLEY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VOLLEY_SECRET": secrets.token_hex(16),
        "TELNYX_API_KEY": API_KEY,
        "TELNYX_BASE_URL": sandbox.url,
        "TELNYX_PUBLIC_KEY": sandbox.public_key,
    }
