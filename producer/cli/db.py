"""`volley db`: which release the ledger's tables are of, and bringing them up to this one."""

from typing import Annotated

import typer

from producer.cli.output import emit, say
from volley.errors import VolleyError

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


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
    from producer.cli.standing import at_ledger, upgraded

    before, after = at_ledger(upgraded)
    if as_json:
        emit({"from": before.revision or None, **after.as_json()})
    elif before.revision == after.revision:
        say(f"{after.database}: the ledger is at {after.revision} already")
    else:
        say(
            f"{after.database}: the ledger is at {after.revision} now ({before.revision or 'nothing was there'} before)"
        )


def current(as_json: Json = False) -> None:
    """Of which release the ledger's tables are. Looks only."""
    from producer.cli.standing import at_ledger, standing

    found = at_ledger(standing)
    if as_json:
        emit(found.as_json())
    else:
        say(f"{found.database}: {found.revision or 'nothing yet'}, {found.words}")


def check() -> None:
    """Ends with 1 unless the ledger's tables are of this release. Looks only."""
    from producer.cli.standing import at_ledger, standing

    found = at_ledger(standing)
    if found.state != "current":
        raise VolleyError(f"the ledger is at {found.revision or 'nothing'}: {found.words}")
