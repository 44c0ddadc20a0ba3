"""`volley inbound`: what people wrote to us."""

import asyncio
import contextlib
from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say, table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
_COLUMNS = ("at", "from", "to", "keyword", "message", "text")
_WIDTH = 60


def register(app: typer.Typer) -> None:
    inbound = typer.Typer(help="What people wrote to us.", no_args_is_help=True)
    inbound.command("list")(list_)
    inbound.command("follow")(follow)
    app.add_typer(inbound, name="inbound")


def list_(
    profile: Annotated[str | None, typer.Option("--profile", help="Only to this messaging profile.")] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", help="Only answers to this campaign.")] = None,
    since: Annotated[str | None, typer.Option(help="From this day or moment on (2030-01-31).")] = None,
    newest: Annotated[int, typer.Option("--newest", min=1, max=100_000, help="So many at most.")] = 1000,
    as_json: Json = False,
) -> None:
    """Texts that came in, the newest first, with the messages that they answer."""
    from producer.cli.records import moment_us
    from producer.people.inbound import listed

    found = asyncio.run(listed(profile, campaign, moment_us("--since", since), newest))
    if as_json:
        emit({"inbound": found})
        return
    table(_COLUMNS, [_row(each) for each in found])
    note(f"{len(found)} texts")


def follow(
    from_start: Annotated[bool, typer.Option("--from-start", help="First what is in the stream already.")] = False,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Ends after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on stdout.")] = False,
) -> None:
    """Each text as it comes in, until Ctrl-C. Other systems read the same stream: docs/inbound.md."""
    from producer.cli.desk import at_desk
    from producer.people.inbound import follow as run

    show = emit if as_json else _say
    with contextlib.suppress(KeyboardInterrupt):
        at_desk(lambda desk: run(desk.outbox, from_start=from_start, most=count, show=show))


def _say(text: dict[str, Any]) -> None:
    say("  ".join(str(cell) for cell in _row(text) if cell))


def _row(text: dict[str, Any]) -> tuple[object, ...]:
    words = " ".join([text["text"], *text["media"]])
    shown = words if len(words) <= _WIDTH else words[: _WIDTH - 1] + "…"
    return text["at"], text["from"], text["to"], text["keyword"], text["message_id"], shown
