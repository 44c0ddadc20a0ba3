"""`volley audit`: are all messages there, each in one state and one place, in Redis and in the ledger?"""

from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say

BROKEN = 1
BEHIND = 75
_SHOWN = 20


def register(app: typer.Typer) -> None:
    app.command("audit")(audit)


def audit(
    campaign_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only this campaign.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Looks for messages that are lost, doubled or elsewhere than they should be. Exit code 1: something is broken."""
    from producer.audit.whole import audit as run
    from producer.cli.desk import Desk, at_desk
    from producer.records import ledger

    async def work(desk: Desk) -> dict[str, Any]:
        async with ledger(desk.settings) as engine:
            return await run(desk.outbox, engine, campaign_id, desk.settings.retention_days)

    document = at_desk(work)
    if as_json:
        emit(document)
    else:
        show(document)
    if document["broken"]:
        raise typer.Exit(BROKEN)
    if document["notes"]:
        raise typer.Exit(BEHIND)


def show(document: dict[str, Any]) -> None:
    """The document for people."""
    for breach in document["broken"][:_SHOWN]:
        say(breach["says"])
    more = len(document["broken"]) - _SHOWN
    if more > 0:
        say(f"… and {more} more: --json has all")
    if not document["broken"]:
        say(f"{document['checked']} campaigns, {document['messages']} messages: each in one state and one place")
    for line in document["notes"]:
        note(line)
