"""`volley optouts`: people who want nothing from a profile."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say, table
from volley.errors import UnusableInput

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Profile = Annotated[str, typer.Option("--profile", help="The messaging profile that people opted out of.")]

PARTLY = 3
"""Exit code: some rows were taken and some were not."""

_SHOWN = 10
_STILL_BLOCKED = (
    "the carrier keeps a block of its own (40300) until the person texts START to the number that got the STOP;"
    " until then what is sent to them ends opted_out, and puts them back here"
)


def register(app: typer.Typer) -> None:
    optouts = typer.Typer(help="People who want nothing from a profile.", no_args_is_help=True)
    optouts.command("import")(import_)
    optouts.command("list")(list_)
    optouts.command("sync")(sync)
    optouts.command("remove")(remove)
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
    from producer.people.optouts import read

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
    from producer.people.optouts import everyone

    numbers = at_desk(lambda desk: everyone(desk.outbox, profile))
    if as_json:
        emit({"profile": profile, "numbers": numbers})
        return
    for number in numbers:
        say(number)
    note(f"{len(numbers)} people opted out of {profile}")


def sync(
    profile: Annotated[str | None, typer.Option("--profile", help="The messaging profile whose list is read.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every profile that has been synced.")] = False,
    as_json: Json = False,
) -> None:
    """Adds everyone who is on the carrier's opt-out list; takes nobody off."""
    from producer.cli.at_carrier import Counter, at_carrier
    from producer.people.blocks import sync as run

    if (profile is None) != every:
        raise UnusableInput("name one list: --profile ID, or --all")

    async def work(counter: Counter) -> list[dict[str, Any]]:
        if counter.outbox is None:
            raise UnusableInput("no Redis: set VOLLEY_REDIS_URL (redis://host:port/0), or run volley up")
        found = await run(counter.api, counter.outbox, profile)
        for each in found:
            await counter.outbox.record_action("optouts_sync", profile=each["profile"], added=each["added"])
        return found

    rows = at_carrier(work, with_pool=True)
    if as_json:
        emit({"profiles": rows})
        return
    columns = ("profile", "people", "added", "already", "started", "unreadable")
    table(columns, [[row[name] for name in columns] for row in rows])


def remove(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Who asked for messages again.")],
    profile: Profile,
    region: Annotated[str | None, typer.Option(help="Reads a national number, as in US.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: Json = False,
) -> None:
    """Takes one person off a profile's opt-outs. The carrier's own block stays until they text START."""
    from producer.cli.desk import at_desk
    from producer.people.optouts import one

    who = one(number, region)
    if not yes:
        _ask()
    removed = at_desk(lambda desk: desk.outbox.remove_optouts(profile, [who]))
    if as_json:
        emit({"profile": profile, "removed": removed})
    else:
        say("taken off the opt-outs" if removed else "was not on the opt-outs")
    note(_STILL_BLOCKED)


def _ask() -> None:
    question = (
        "Did this person ask, and can you show it? Messages to those who said STOP are unlawful in many countries."
    )
    if not sys.stdin.isatty():
        raise UnusableInput(f"{question} Nobody is here to be asked: add --yes")
    if not typer.confirm(question, default=False, err=True):
        raise typer.Abort
