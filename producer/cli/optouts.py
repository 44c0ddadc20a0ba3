"""`volley optouts`: people who want nothing from a profile."""

from pathlib import Path
from typing import Annotated

import typer

from producer.cli.output import emit, note, say

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Profile = Annotated[str, typer.Option("--profile", help="The messaging profile that people opted out of.")]

PARTLY = 3
"""Exit code: some rows were taken and some were not."""

_SHOWN = 10


def register(app: typer.Typer) -> None:
    optouts = typer.Typer(help="People who want nothing from a profile.", no_args_is_help=True)
    optouts.command("import")(import_)
    optouts.command("list")(list_)
    app.add_typer(optouts, name="optouts")


def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE|-", help="A number a line, or a CSV file with a column `to`.", allow_dash=True),
    ],
    profile: Profile,
    region: Annotated[str | None, typer.Option(help="Reads national numbers, as in US.")] = None,
    as_json: Json = False,
) -> None:
    """Adds people to a profile's opt-outs; from then on nothing is granted to them. Exit code 3: some lines are no numbers."""
    from producer.cli.desk import at_desk
    from producer.optouts import read

    found = read(file, region)
    added = at_desk(lambda desk: desk.outbox.add_optouts(profile, found.numbers))
    if as_json:
        emit({"profile": profile, "numbers": len(found.numbers), "added": added, "rejected": len(found.rejected)})
    else:
        say(f"{added} people opted out of {profile}, {len(found.numbers) - added} had done so before")
    for place, reason in found.rejected[:_SHOWN]:
        note(f"line {place}: {reason}")
    if found.rejected:
        note(f"{len(found.rejected)} lines were not taken")
        raise typer.Exit(PARTLY)


def list_(profile: Profile, as_json: Json = False) -> None:
    """The numbers that opted out of a profile, in no order."""
    from producer.cli.desk import at_desk
    from producer.optouts import everyone

    numbers = at_desk(lambda desk: everyone(desk.outbox, profile))
    if as_json:
        emit({"profile": profile, "numbers": numbers})
        return
    for number in numbers:
        say(number)
    note(f"{len(numbers)} people opted out of {profile}")
