"""`volley campaigns dead` and `redrive`: what ended without having been sent, and trying it once more."""

import sys
from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say, table
from producer.sight.documents import moment
from volley.errors import UnusableInput

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="A campaign's id, as volley send printed it.")]

_MOST = 200


def dead(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Messages that ended without having been sent, provably, and why."""
    documents = _found(campaign_id)
    if as_json:
        emit({"campaign_id": campaign_id, "dead": documents})
    elif not documents:
        say(f"no message of campaign {campaign_id} is dead")
    else:
        rows = [(each["message_id"], moment(each["at_us"]), each["attempts"], _why(each)) for each in documents[:_MOST]]
        table(("message", "since", "attempts", "why"), rows)
        if len(documents) > _MOST:
            note(f"{len(documents) - _MOST} more: --json shows all")


def _why(document: dict[str, Any]) -> str:
    said = " ".join(str(document[name]) for name in ("error_code", "error_text") if document[name])
    return f"{document['why']}: {said}" if said else str(document["why"])


def _found(campaign_id: str) -> list[dict[str, Any]]:
    import asyncio

    from producer.records import ledger
    from volley.ledger.dead import dead as listed
    from volley.ledger.reader import Reader
    from volley.settings import load

    async def ask() -> list[dict[str, Any]]:
        async with ledger(load()) as engine:
            await Reader(engine).campaign(campaign_id)
            return await listed(engine, campaign_id)

    return asyncio.run(ask())


def redrive(
    campaign_id: CampaignId,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: Json = False,
) -> None:
    """Tries the dead messages of a campaign once more: they were provably never sent."""
    from producer.cli.desk import Desk, arm, at_desk
    from producer.push.redrive import redrive as run

    if not yes:
        _ask(campaign_id)

    async def work(desk: Desk) -> dict[str, int]:
        result = await run(desk.settings, desk.outbox, campaign_id)
        view = await desk.outbox.campaign(campaign_id)
        if view is not None and result.messages:
            await arm(desk, view.campaign)
        return result.as_json()

    result = at_desk(work)
    if as_json:
        emit({"campaign_id": campaign_id} | result)
        return
    say(f"{result['messages']} messages of campaign {campaign_id} are ready again")
    if result["unrecorded"]:
        note(
            f"{result['unrecorded']} more are dead and not in the ledger yet: see that volley serve runs, then redrive again"
        )


def _ask(campaign_id: str) -> None:
    question = f"The dead messages of campaign {campaign_id} are sent after all. Is what ended them put right?"
    if not sys.stdin.isatty():
        raise UnusableInput(f"{question} Nobody is here to be asked: add --yes")
    if not typer.confirm(question, default=False, err=True):
        raise typer.Abort
