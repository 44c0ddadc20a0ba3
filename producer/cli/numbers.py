"""`volley numbers`: a profile's pool, from the carrier into Redis, and how each number stands."""

from typing import Annotated

import typer

from producer.cli.output import emit, table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    numbers = typer.Typer(
        help="A profile's pool: read it from the carrier, see how each number stands.", no_args_is_help=True
    )
    numbers.command("sync")(sync)
    numbers.command("list")(list_)
    numbers.command("doctor")(doctor)
    app.add_typer(numbers, name="numbers")


def sync(
    profile: Annotated[str, typer.Option("--profile", help="The messaging profile whose numbers are the pool.")],
    as_json: Json = False,
) -> None:
    """Reads a profile's numbers and weights from the carrier into Redis; rates come from the settings."""
    from producer.cli.desk import at_desk
    from producer.cli.numbers_sync import show
    from producer.sync import sync as run

    synced = at_desk(lambda desk: run(desk.settings, desk.outbox, profile))
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


def list_(
    profile: Annotated[str | None, typer.Option("--profile", help="Only this profile's.")] = None, as_json: Json = False
) -> None:
    """Type, country, rate, state, pins and what was sent today, of each number."""
    from producer.cli.desk import at_desk
    from producer.documents import sender

    views = at_desk(lambda desk: desk.outbox.senders(profile, count_pins=True))
    documents = [sender(view) for view in views]
    if as_json:
        emit({"numbers": documents})
        return
    columns = ("number", "type", "country", "rate", "state", "pins", "sent today", "profile", "reason")
    names = ("number", "type", "country", "rate", "state", "pins", "sent_today", "profile", "reason")
    table(columns, [[document[name] for name in names] for document in documents])
