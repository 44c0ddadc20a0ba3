"""`volley db`: which release the ledger's tables are of, and bringing them up to this one."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.cli.output import emit, say
from volley.errors import VolleyError

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

_LONGEST_S = 86_400.0
"""An index over a hundred million rows takes its time."""


class Standing(NamedTuple):
    """`revision` "": there are no tables yet."""

    database: str
    revision: str
    newest: str
    state: str


def register(app: typer.Typer) -> None:
    db = typer.Typer(
        help="The ledger's tables: of which release they are, bringing them up to date.", no_args_is_help=True
    )
    db.command("upgrade")(upgrade)
    db.command("current")(current)
    db.command("check")(check)
    app.add_typer(db, name="db")


def upgrade(as_json: Json = False) -> None:
    """Brings the ledger's tables up to this release. May be run by several at once, and while others record."""
    before, after = _run(_upgraded)
    if as_json:
        emit({"from": before.revision or None, **_document(after)})
    elif before.revision == after.revision:
        say(f"{after.database}: the ledger is at {after.revision} already")
    else:
        say(
            f"{after.database}: the ledger is at {after.revision} now ({before.revision or 'nothing was there'} before)"
        )


def current(as_json: Json = False) -> None:
    """Of which release the ledger's tables are. Looks only."""
    standing = _run(_standing)
    if as_json:
        emit(_document(standing))
    else:
        say(f"{standing.database}: {standing.revision or 'nothing yet'}, {_WORDS[standing.state]}")


def check() -> None:
    """Ends with 1 unless the ledger's tables are of this release. Looks only."""
    standing = _run(_standing)
    if standing.state != "current":
        raise VolleyError(f"the ledger is at {standing.revision or 'nothing'}: {_WORDS[standing.state]}")


_WORDS = {
    "current": "up to date",
    "behind": "this release needs another: run volley db upgrade",
    "empty": "nothing is there yet: volley db upgrade makes it, and so does volley serve",
    "newer": "of a newer release: update Volley on this machine",
}


def _document(standing: Standing) -> dict[str, Any]:
    return standing._asdict() | {"revision": standing.revision or None}


async def _upgraded(engine: AsyncEngine) -> tuple[Standing, Standing]:
    from volley.ledger.engine import upgrade as run

    before = await _standing(engine)
    await run(engine)
    return before, await _standing(engine)


async def _standing(engine: AsyncEngine) -> Standing:
    from volley.ledger.engine import is_newer, newest, revision

    held = "" if _no_file(engine) else await revision(engine)
    state = "empty" if not held else "current" if held == newest() else "newer" if is_newer(held) else "behind"
    return Standing(engine.dialect.name, held, newest(), state)


def _no_file(engine: AsyncEngine) -> bool:
    """Looking must not make one."""
    url = make_url(engine.url)
    return url.get_backend_name() == "sqlite" and bool(url.database) and not Path(url.database or "").exists()


def _run(work: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:
    from producer.records import opened
    from volley.settings import load

    async def run() -> Any:
        async with opened(load(), answer_s=_LONGEST_S) as engine:
            return await work(engine)

    return asyncio.run(run())
