"""`volley keys`: who may use the HTTP API. A key is shown when it is made, and never again."""

import re
import time
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from producer.access.keys import SCOPES, ApiKey, Scope, make
from producer.cli.output import emit, facts, note, say, table
from producer.sight.documents import moment
from volley.errors import UnusableInput
from volley.outbox.actions import at_the_command_line

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

_SPAN = re.compile(r"(\d{1,5})([hd])")
_HOURS = {"h": 1, "d": 24}
_LEAST_RATE = Decimal("0.001")


def register(app: typer.Typer) -> None:
    keys = typer.Typer(help="Keys of the HTTP API.", no_args_is_help=True)
    for command, name in ((create, "create"), (list_, "list"), (revoke, "revoke")):
        keys.command(name)(command)
    app.add_typer(keys, name="keys")


def create(
    name: Annotated[str, typer.Option(help="Whose it is: stands in the audit log.")],
    scope: Annotated[list[str], typer.Option(metavar="|".join(SCOPES), help="What it may; several times.")],
    test: Annotated[bool, typer.Option("--test", help="Goes to the test account: costs nothing.")] = False,
    expires: Annotated[str | None, typer.Option(help="90d, 12h, or a moment (2030-01-31T18:00+01:00).")] = None,
    rate: Annotated[str | None, typer.Option(help="Requests a second [as VOLLEY_API_RATE].")] = None,
    daily: Annotated[int | None, typer.Option(min=1, help="Messages a day (UTC) [no limit].")] = None,
    as_json: Json = False,
) -> None:
    """Makes a key and shows it: this once."""
    import asyncio

    from producer.access import register as keys
    from producer.records import ledger
    from volley.settings import load

    settings, now_us = load(), time.time_ns() // 1000
    key, token = make(
        settings.account,
        name,
        frozenset(map(_scope, scope)),
        now_us,
        mode="test" if test else "live",
        rate_milli=_rate_milli(rate),
        daily=daily,
        expires_us=None if expires is None else _expiry_us(expires, now_us),
    )

    async def work() -> None:
        async with ledger(settings) as engine:
            await keys.add(engine, key, at_the_command_line())

    asyncio.run(work())
    if as_json:
        emit(document(key, now_us) | {"key": token})
    else:
        say(token)
        note(f"key {key.id} for {key.name}: keep it now, it is shown this once")
        if test and settings.test_account is None:
            note("it opens nothing yet: name an account of test keys with VOLLEY_TEST_ACCOUNT (docs/http-api.md)")


def list_(as_json: Json = False) -> None:
    """All keys, without what is secret of them."""
    import asyncio

    from producer.access import register as keys
    from producer.records import ledger
    from volley.settings import load

    settings, now_us = load(), time.time_ns() // 1000

    async def work() -> list[ApiKey]:
        async with ledger(settings) as engine:
            return await keys.of_account(engine, settings.account)

    documents = [document(key, now_us) for key in asyncio.run(work())]
    if as_json:
        emit({"keys": documents})
    elif not documents:
        say("no keys yet: volley keys create --name NAME --scope send --scope read")
    else:
        names = ("id", "name", "mode", "scopes", "state", "rate", "daily", "created", "expires")
        table(names, [[_plain(each[name]) for name in names] for each in documents])


def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="A key's id, as volley keys list prints it.")],
    as_json: Json = False,
) -> None:
    """Ends a key for good: within 5 s nothing takes it any more."""
    import asyncio

    from producer.access import register as keys
    from producer.records import ledger
    from volley.settings import load

    settings, now_us = load(), time.time_ns() // 1000

    async def work() -> ApiKey:
        async with ledger(settings) as engine:
            return await keys.revoke(engine, settings.account, key_id, now_us, at_the_command_line())

    told = document(asyncio.run(work()), now_us)
    if as_json:
        emit(told)
    else:
        facts((name, _plain(value)) for name, value in told.items())


def document(key: ApiKey, now_us: int) -> dict[str, Any]:
    ended = "revoked" if key.revoked_us is not None else "expired"
    return {
        "id": key.id,
        "name": key.name,
        "mode": key.mode,
        "scopes": sorted(key.scopes),
        "state": "active" if key.usable(now_us) else ended,
        "rate": None if key.rate_milli is None else key.rate_milli / 1000,
        "daily": key.daily,
        "created": moment(key.created_us),
        "expires": moment(key.expires_us or 0),
        "revoked": moment(key.revoked_us or 0),
    }


def _plain(value: object) -> object:
    if value is None:
        return "-"
    return " ".join(value) if isinstance(value, list) else value


def _scope(given: str) -> Scope:
    for scope in SCOPES:
        if scope == given:
            return scope
    raise UnusableInput(f"--scope {given}: use one of {', '.join(SCOPES)}")


def _rate_milli(given: str | None) -> int | None:
    try:
        rate = None if given is None else Decimal(given)
    except InvalidOperation:
        rate = Decimal(0)
    if rate is not None and not (rate.is_finite() and rate >= _LEAST_RATE):
        raise UnusableInput(f"--rate {given}: requests a second, {_LEAST_RATE} at least")
    return None if rate is None else int(rate * 1000)


def _expiry_us(given: str, now_us: int) -> int:
    span = _SPAN.fullmatch(given)
    if span is not None:
        return now_us + int(span[1]) * _HOURS[span[2]] * 3_600_000_000
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise UnusableInput(f"--expires {given}: write 90d, 12h or 2030-01-31T18:00+01:00") from None
    if found.tzinfo is None:
        raise UnusableInput("the moment of expiry needs a time zone (2030-01-31T18:00:00+01:00)")
    return int(found.timestamp() * 1_000_000)
