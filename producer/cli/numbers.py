"""`volley numbers`: what the carrier has, which profile it serves, and a profile's pool in Redis."""

from typing import Annotated

import typer

from producer.cli import number_moves, number_views
from producer.cli.output import emit

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    numbers = typer.Typer(
        help="Numbers at the carrier, the profiles they serve, and our pool of them.", no_args_is_help=True
    )
    numbers.command("sync")(sync)
    numbers.command("list")(number_views.list_)
    numbers.command("show")(number_views.show)
    for command in (number_moves.assign, number_moves.unassign, number_moves.order):
        numbers.command(command.__name__)(command)
    numbers.command("doctor")(doctor)
    app.add_typer(numbers, name="numbers")


def sync(
    profile: Annotated[str, typer.Option("--profile", help="The messaging profile whose numbers are the pool.")],
    as_json: Json = False,
) -> None:
    """Reads a profile's numbers and weights from the carrier into Redis; rates come from the settings."""
    from producer.cli.desk import Desk, at_desk
    from producer.cli.numbers_sync import show
    from producer.pool.sync import Synced
    from producer.pool.sync import sync as run

    async def work(desk: Desk) -> Synced:
        found = await run(desk.settings, desk.outbox, profile)
        changed = {"usable": found.usable, "joined": found.joined, "left": found.left}
        await desk.outbox.record_action("numbers_sync", profile=profile, **changed)
        return found

    synced = at_desk(work)
    if as_json:
        emit(synced.as_json())
    else:
        show(synced)


def doctor(
    number: Annotated[
        str | None, typer.Argument(metavar="[NUMBER]", help="One number, short code or alphanumeric ID.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="Only this profile's; with NUMBER: whether it can send for it.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Whether each number can send now, to where, and if not, why and what to do. Exit code 1: something cannot."""
    import asyncio

    from producer.cli.numbers_doctor import diagnose
    from volley.settings import load

    if not asyncio.run(diagnose(load(), number, profile, as_json=as_json)):
        raise typer.Exit(1)
