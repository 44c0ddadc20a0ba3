"""`volley campaigns retry`: what failed for good is tried once more, by error class; without a class it tells which there are."""

import sys
from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say, table
from volley.errors import UnusableInput

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="A campaign's id, as volley send printed it.")]


def retry(
    campaign_id: CampaignId,
    error: Annotated[str, typer.Option(metavar="CODE,…", help="Error codes whose messages go once more.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: Json = False,
) -> None:
    """Sends once more what the carrier refused, or could not deliver, with these errors; none: tells which there are."""
    codes = [code.strip() for code in error.split(",") if code.strip()]
    if not codes:
        _tell(campaign_id, as_json)
        return
    if not yes:
        _ask(campaign_id, codes)
    result = _run(campaign_id, codes)
    if as_json:
        emit({"campaign_id": campaign_id} | result)
        return
    say(f"{result['messages']} messages of campaign {campaign_id} are ready again")
    if result["uncertain"]:
        note(f"{result['uncertain']} failed too and are left alone: one of their attempts may have arrived")


def _run(campaign_id: str, codes: list[str]) -> dict[str, int]:
    from producer.cli.desk import Desk, arm, at_desk
    from producer.push.retry import retry as run

    async def work(desk: Desk) -> dict[str, int]:
        result = await run(desk.settings, desk.outbox, campaign_id, codes)
        view = await desk.outbox.campaign(campaign_id)
        if view is not None and result.messages:
            await arm(desk, view.campaign)
        return result.as_json()

    return at_desk(work)


def _tell(campaign_id: str, as_json: bool) -> None:
    import asyncio

    from producer.push.retry import why_failed
    from volley.settings import load

    found: list[dict[str, Any]] = [each._asdict() for each in asyncio.run(why_failed(load(), campaign_id))]
    if as_json:
        emit({"campaign_id": campaign_id, "failed": found})
    elif not found:
        say(f"nothing of campaign {campaign_id} has failed")
    else:
        table(("status", "error", "meaning", "messages"), [tuple(each.values()) for each in found])


def _ask(campaign_id: str, codes: list[str]) -> None:
    what = f"Messages of campaign {campaign_id} that failed with {', '.join(codes)}"
    question = f"{what} are sent, and paid for, once more. Is the cause put right?"
    if not sys.stdin.isatty():
        raise UnusableInput(f"{question} Nobody is here to be asked: add --yes")
    if not typer.confirm(question, default=False, err=True):
        raise typer.Abort
