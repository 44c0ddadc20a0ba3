"""`volley reconcile`: our ledger beside the carrier's detail records."""

from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli.output import emit, facts, note, say, table
from producer.cli.records import moment_us
from volley.errors import UnusableInput

DIFFERENT = 1
_MINUTE_US = 60_000_000


def register(app: typer.Typer) -> None:
    app.command("reconcile")(reconcile)


def reconcile(
    since: Annotated[str | None, typer.Option(help="From this day or moment on (2030-01-31), UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this day or moment, not included.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="Only this messaging profile.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=400, help="Today and so many days before it.")] = None,
    fix: Annotated[bool, typer.Option(help="Fills in what the records add, and closes what is stuck.")] = True,
    grace: Annotated[int, typer.Option(min=0, help="Minutes that a record may take to appear.")] = 240,
    out: Annotated[Path | None, typer.Option(help="All differences, as JSON lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Compares the ledger with the carrier's records, yesterday and today unless told otherwise. Exit code 1: they differ."""
    from producer.bill.reconcile import Wish, days_ago
    from producer.bill.reconcile import reconcile as run
    from producer.cli.desk import Desk, at_desk

    if since and days:
        raise UnusableInput("--since and --days say the same thing: give one of them")
    since_us = moment_us("--since", since)
    wish = Wish(
        since_us=days_ago(1 if days is None else days) if since_us is None else since_us,
        until_us=moment_us("--until", until),
        profile=profile,
        fix=fix,
        grace_us=grace * _MINUTE_US,
        out=out,
    )

    async def work(desk: Desk) -> dict[str, Any]:
        found = await run(desk.settings, desk.outbox, wish)
        if fix:
            await desk.outbox.record_action("reconcile", profile=profile, since=found["since"], until=found["until"])
        return found

    document = at_desk(work)
    if as_json:
        emit(document)
    else:
        show(document)
    if not document["agree"]:
        raise typer.Exit(DIFFERENT)


def show(document: dict[str, Any]) -> None:
    """The document for people."""
    say(f"{document['since']} to {document['until']}: {'both sides agree' if document['agree'] else 'they differ'}")
    named = {name: value for name, value in document.items() if type(value) is int}
    facts([(name.replace("_", " "), value) for name, value in named.items() if value])
    columns = ("profile", "currency", "messages", "records", "ours", "theirs", "difference")
    if document["sums"]:
        table(columns, [[each[name] for name in columns] for each in document["sums"]], title="cost")
    if document["differences"]:
        shown = ("kind", "message_id", "carrier_id", "ours", "theirs", "likely_answer")
        rows = [[each.get(name) for name in shown] for each in document["differences"]]
        table(shown, rows, title="differences (the first; --out FILE has all)")
    for line in document["notes"]:
        note(line)
