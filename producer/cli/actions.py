"""`volley actions`: the audit log, who did what and when."""

import asyncio
from typing import Annotated, Any

import orjson
import typer

from producer.cli.output import emit, note, table

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
_WIDTH = 100


def register(app: typer.Typer) -> None:
    app.command("actions")(actions)


def actions(
    campaign: Annotated[str | None, typer.Option("--campaign", metavar="ID", help="Only those about this one.")] = None,
    since: Annotated[str | None, typer.Option(help="From this day or moment on (2030-01-31).")] = None,
    newest: Annotated[int, typer.Option("--newest", min=1, max=100_000, help="So many at most.")] = 1000,
    as_json: Json = False,
) -> None:
    """Who did what, the newest first: pushes, pauses, cancels, changes, opt-outs by hand, keys."""
    from producer.cli.records import moment_us

    found = asyncio.run(_listed(campaign, moment_us("--since", since), newest))
    if as_json:
        emit({"actions": found})
        return
    table(("at", "who", "what", "campaign", "detail"), [_row(each) for each in found])
    note(f"{len(found)} actions")


async def _listed(campaign: str | None, since_us: int | None, most: int) -> list[dict[str, Any]]:
    from producer.records import reading
    from volley.settings import load

    async with reading(load()) as reader:
        return await reader.actions(campaign, since_us, most)


def _row(action: dict[str, Any]) -> tuple[object, ...]:
    detail = orjson.dumps(action["detail"]).decode()[:_WIDTH] if action["detail"] else ""
    return action["at"], action["who"], action["what"], action["campaign_id"] or "-", detail
