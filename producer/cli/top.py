"""`volley top`: what waits, what goes and who works, live in a terminal."""

import asyncio
from typing import Annotated

import typer

from producer.cli.output import emit, say
from producer.sight.facts import Facts
from volley.errors import UnusableInput

_AGAIN_S = 1.0


def register(app: typer.Typer) -> None:
    app.command("top")(top)


def top(
    once: Annotated[bool, typer.Option("--once", help="Shows it once and ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: one JSON object on stdout.")] = False,
) -> None:
    """Queues, campaigns, workers, senders and the carrier's answers, every second. Keys: 1 to 5, space holds still, q ends."""
    from producer.cli.desk import Desk, at_desk
    from producer.sight.sight import Sight

    if as_json and not once:
        raise UnusableInput("--json shows one snapshot: say --once too")

    async def look(desk: Desk) -> Facts:
        """Two looks, as what senders have sent of late is what changes between them."""
        sight = Sight(desk.outbox, desk.settings.account)
        await sight.facts()
        await asyncio.sleep(_AGAIN_S)
        return await sight.facts(0)

    async def live(desk: Desk) -> None:
        from producer.sight.screen import Top

        await Top(Sight(desk.outbox, desk.settings.account).facts).run_async()

    if not once:
        at_desk(live)
        return
    facts = at_desk(look)
    if as_json:
        emit(facts)
    else:
        show(facts)


def show(facts: Facts) -> None:
    """The snapshot for people, once."""
    from producer.cli.output import table
    from producer.sight.screen import head, notes, tables

    say(head(facts))
    for line in notes(facts):
        say(line)
    for name, (columns, rows) in tables(facts, wide=True).items():
        if rows:
            table(columns, rows, title=name)
