"""`volley config`: what is set, where it comes from, and what is wrong or missing. Secrets are never shown."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from producer.cli.output import emit, say, table
from volley.errors import UnusableInput

_SECRET = frozenset({"api_key", "secret", "telnyx_api_key"})
_URLS = frozenset({"redis_url", "arq_redis_url", "ledger_url"})

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    config = typer.Typer(help="Settings: what is set and from where, and what is wrong.", no_args_is_help=True)
    config.command("show")(show)
    config.command("check")(check)
    app.add_typer(config, name="config")


def show(as_json: Json = False) -> None:
    """Every setting, its value and where that comes from. Secrets are masked. Names that are no settings are passed over."""
    from volley.settings import layers, load

    values = load(known_only=True).model_dump(mode="json")
    source = {name: place for place, found in layers() for name in found}
    rows = [(name, mask(name, value), source.get(name, "default")) for name, value in values.items()]
    if as_json:
        emit({"settings": {name: {"value": value, "source": place} for name, value, place in rows}})
    else:
        flat = [(key, inner, place) for name, value, place in rows for key, inner in _flat(name, value)]
        table(("setting", "value", "from"), flat)


def mask(name: str, value: Any) -> Any:
    """The value as it may be shown: `***` for keys and secrets, URLs without their password, tables entry by entry."""
    if isinstance(value, dict):
        return {key: mask(key, inner) for key, inner in value.items()}
    if value is None or (name not in _SECRET and name not in _URLS):
        return value
    return _without_password(str(value)) if name in _URLS else "***"


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, slashes, login = head.partition("://")
    if not at or not slashes:
        return url
    user = login.split(":", 1)[0]
    return f"{scheme}://{user}:***@{tail}"


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """`rates.account`, `rates.number.+1…`: a table's entries as rows of their own."""
    if not isinstance(value, dict):
        yield name, "-" if value is None else value
        return
    for key, inner in value.items():
        yield from _flat(f"{name}.{key}", inner)


def check(as_json: Json = False) -> None:
    """Everything that is wrong with the settings (exit code 2), and what is missing."""
    from producer.cli.advice import find

    problems, notes = find()
    if as_json:
        emit({"ok": not problems, "problems": problems, "notes": notes})
    else:
        for line in problems:
            say(f"wrong: {line}")
        for line in notes:
            say(f"note:  {line}")
        say("settings are not usable" if problems else "settings are usable")
    if problems:
        raise typer.Exit(UnusableInput.exit_code)
