"""`volley rebuild`: Redis was lost; the ledger was not."""

import sys
from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say, table
from volley.errors import UnusableInput

PARTLY = 3


def register(app: typer.Typer) -> None:
    app.command("rebuild")(rebuild)


def rebuild(
    campaign: Annotated[str | None, typer.Option("--campaign", metavar="ID", help="Only this one.")] = None,
    margin_chunks: Annotated[
        int, typer.Option(min=0, help="Chunks after the last one recorded that may have been sent from, too.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Says what would be put back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Puts back what Redis has lost, from the ledger. Exit code 3: some of it could not be."""
    from producer.cli.desk import Desk, at_desk
    from producer.rebuild.run import Report, Wish
    from producer.rebuild.run import rebuild as run
    from producer.records import ledger

    if not yes and not dry_run:
        _ask()

    async def work(desk: Desk) -> Report:
        async with ledger(desk.settings) as engine:
            report = await run(desk.settings, desk.outbox, engine, Wish(campaign, margin_chunks, dry_run))
        if not dry_run:
            await desk.outbox.record_action("rebuild", campaign or "", campaigns=len(report.campaigns))
        return report

    report = at_desk(work)
    document = report.as_json()
    if as_json:
        emit(document)
    else:
        show(document)
    if not report.complete:
        raise typer.Exit(PARTLY)


def _ask() -> None:
    question = "Is Redis empty and lost for good, and does no worker run on any machine?"
    if not sys.stdin.isatty():
        raise UnusableInput(f"{question} Nobody is here to be asked: add --yes, or --dry-run to look first")
    if not typer.confirm(question, default=False, err=True):
        raise typer.Abort


def show(document: dict[str, Any]) -> None:
    """The document for people."""
    columns = ("campaign_id", "state", "accepted", "ready", "unknown", "marked", "ended", "why")
    if document["campaigns"]:
        rows = [[each[name] for name in columns] for each in document["campaigns"]]
        table(columns, rows, title="would be put back" if document["dry_run"] else "put back, paused")
    else:
        say("no campaign is open in the ledger")
    told = f"messages that told of a pin: {document['pins']}; idempotency keys of what is over: {document['keys']}"
    say(f"\nopt-outs: {document['optouts']}; {told}")
    for name, why in document["unsynced"].items():
        note(f"the pool of profile {name} was not read: {why}")
    say("\nwhat cannot be known")
    for line in document["cannot_be_known"]:
        say(f"- {line}")
    if document["next"]:
        say("\nwhat to do next")
        for line in document["next"]:
            say(f"- {line}")
