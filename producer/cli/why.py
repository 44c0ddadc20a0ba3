"""`volley why`: what something waits for, in words and numbers, and when that ends."""

from typing import Annotated

import typer

from producer.cli.output import emit, say, span


def register(app: typer.Typer) -> None:
    app.command("why")(why)


def why(
    what: Annotated[str, typer.Argument(metavar="CAMPAIGN|MESSAGE|PROFILE", help="An id.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """What a campaign, a message or a profile waits for, how much, and until when."""
    from producer.cli.desk import Desk, at_desk
    from producer.sight.sight import Sight
    from producer.sight.why import Answer
    from producer.sight.why import why as ask

    async def work(desk: Desk) -> Answer:
        async def past(what: str) -> str | None:
            from producer.records import reading  # SQL is half a second of imports, and what waits needs none
            from producer.sight.past import past_state

            async with reading(desk.settings) as reader:
                return await past_state(reader, what)

        return await ask(Sight(desk.outbox, desk.settings.account), desk.outbox, what, past)

    answer = at_desk(work)
    if as_json:
        emit(answer)
        return
    say(f"{answer.kind} {answer.about}: {answer.state}, {answer.waiting:,} messages wait")
    for cause in answer.causes:
        say(f"  {cause.says}")
    if answer.seconds is not None:
        say(f"all of it is sent in {span(answer.seconds)}, if nothing new comes")
