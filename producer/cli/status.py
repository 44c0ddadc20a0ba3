"""`volley status`: is it moving, how far behind is it, and who works."""

from typing import Annotated, Any

import typer

from producer.cli.campaigns import LIST_COLUMNS, row
from producer.cli.output import emit, facts, say, span, table


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False) -> None:
    """Queue depth, age of the oldest message, rate and ETA; live campaigns; workers; what is unknown; why nothing moves."""
    from producer.cli.desk import at_desk
    from producer.sight.overview import status as overview

    document = at_desk(
        lambda desk: overview(desk.outbox, desk.settings.account, relaxed=desk.settings.durability == "relaxed")
    )
    if as_json:
        emit(document)
    else:
        show(document)


def show(document: dict[str, Any]) -> None:
    """The document for people."""
    if "durability" in document:
        say(f"durability is {document['durability']['mode']}: {document['durability']['risk']}")
    for line in [*(each["says"] for each in document["conservation"]["broken"]), *document["notes"]]:
        say(line)
    columns = ("profile", "depth", "oldest", "rate", "allowed", "ETA", "senders")
    queues = [
        (
            each["profile"],
            each["depth"],
            span(each["oldest_age_seconds"]),
            f"{each['rate']:g}/s",
            f"{each['allowed_rate']:g}/s",
            span(each["eta_seconds"]),
            each["senders"],
        )
        for each in document["queues"]
    ]
    if queues:
        table(columns, queues, title="queues")
    else:
        say("no profile is known: volley numbers sync --profile ID")
    if document["campaigns"]:
        table(LIST_COLUMNS, [row(each) for each in document["campaigns"]], title="live campaigns")
    workers = [
        (each["id"], each["host"], each["pid"], each["in_flight"], f"{each['rate']:g}/s")
        for each in document["workers"]
    ]
    if workers:
        table(("worker", "host", "pid", "in flight", "rate"), workers, title="workers")
    elif not document["campaigns"]:
        say("\nno worker is running: start volley worker, or volley up")
    if document["webhooks"]:
        told = [(name, each["count"], each["last"]) for name, each in document["webhooks"].items()]
        table(("what", "how many", "last"), told, title="webhooks")
    facts(
        [("unknown", document["unknown"]), ("ledger behind by", span(document["ledger_lag_seconds"]))], title="ledger"
    )
