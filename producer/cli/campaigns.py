"""`volley campaigns`: list, show, pause, resume, cancel; unknown is in unknown.py, dead and redrive are in dead.py."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

import typer

from producer.cli.dead import dead, redrive
from producer.cli.output import emit, facts, note, say, span, table
from producer.cli.retry import retry
from producer.cli.terms import set_terms
from producer.cli.unknown import unknown
from producer.push.steering import Verb, steer

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="A campaign's id, as volley send printed it.")]


def register(app: typer.Typer) -> None:
    campaigns = typer.Typer(
        help="Campaigns and where they stand; pause, resume, cancel; what is dead.", invoke_without_command=True
    )
    campaigns.callback()(all_of_them)
    for command in (show, pause, resume, cancel, unknown, dead, redrive, retry):
        campaigns.command(command.__name__)(command)
    campaigns.command("set")(set_terms)
    app.add_typer(campaigns, name="campaigns")


def all_of_them(
    context: typer.Context,
    newest: Annotated[int, typer.Option(min=1, help="How many, from the newest on.")] = 50,
    as_json: Json = False,
) -> None:
    """Campaigns and where they stand; pause, resume, cancel."""
    if context.invoked_subcommand is not None:
        return
    from producer.cli.desk import at_desk
    from producer.sight.overview import every_campaign

    documents = at_desk(lambda desk: every_campaign(desk.outbox, desk.settings, newest))
    if as_json:
        emit({"campaigns": documents})
    elif not documents:
        say("no campaigns yet: volley send FILE --profile ID --text TEXT")
    else:
        table(LIST_COLUMNS, [row(document) for document in documents])


LIST_COLUMNS = (
    "campaign",
    "profile",
    "state",
    "accepted",
    "waiting",
    "submitted",
    "delivered",
    "failed",
    "rate",
    "ETA",
    "cost",
)


def row(document: dict[str, Any]) -> tuple[object, ...]:
    """A campaign as a line of a table. `submitted` are those that the carrier took and no receipt has settled."""
    counts = document["counts"]
    failed = sum(counts.get(status, 0) for status in ("undelivered", "refused", "dead", "expired"))
    return (
        document["campaign_id"],
        document["profile"],
        document["state"],
        document["accepted"],
        counts["ready"] + counts["sending"],
        counts["submitted"] + counts.get("unconfirmed", 0),
        counts.get("delivered", "-") if document.get("ledger_answered", True) else "-",
        failed,
        f"{document['rate']:g}/s",
        span(document["eta_seconds"]),
        f"{document['cost']['amount']} {document['cost']['currency']}",
    )


def show(campaign_id: CampaignId, as_json: Json = False) -> None:
    """One campaign: states, counts, rate, ETA, cost."""
    from producer.cli.desk import at_desk
    from producer.sight.overview import one_campaign

    document = at_desk(lambda desk: one_campaign(desk.outbox, desk.settings, campaign_id))
    if as_json:
        emit(document)
        return
    counts = {name: count for name, count in document.pop("counts").items() if count}
    aside = document.pop("set_aside", [])
    facts((name, _plain(value)) for name, value in document.items() if value is not None)
    facts(counts.items(), title="messages")
    if aside:
        table(("chunk", "messages", "since"), [tuple(each.values()) for each in aside], title="set aside")


def _plain(value: object) -> object:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else value


def pause(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Stops granting messages of a campaign. Answers with what is still in flight."""
    _control("pause", campaign_id, as_json)


def resume(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Goes on with a paused campaign."""
    _control("resume", campaign_id, as_json)


def cancel(campaign_id: CampaignId, as_json: Json = False) -> None:
    """Ends a campaign for good: what waits is never sent; what the carrier keeps until its time (--send-at) is cancelled there.

    Answers with what is still in flight.
    """
    _control("cancel", campaign_id, as_json)


def _control(verb: Verb, campaign_id: str, as_json: bool) -> None:
    from producer.cli.desk import arm, at_desk

    done = at_desk(lambda desk: steer(verb, desk.settings, desk.outbox, partial(arm, desk), campaign_id))
    if as_json:
        emit(done.as_json())
        return
    state, in_flight, withdrawn = done.state, done.in_flight, done.withdrawn
    say(f"campaign {campaign_id} is {state}")
    if in_flight and withdrawn is None:
        note(f"{in_flight} messages are in flight and will still be sent or settled")
    for line in _told(withdrawn or {}):
        say(line)


def _told(withdrawn: dict[str, int]) -> Iterator[str]:
    words = {
        "cancelled": "were cancelled at the carrier",
        "too_late": "could not be cancelled any more and go as they were scheduled",
        "unrecorded": "are with the carrier, and the ledger has no id of them yet: see that volley serve runs, then cancel again",
        "unknown": "are unknown: those that the carrier has may still go",
    }
    return (f"{withdrawn[name]} messages {said}" for name, said in words.items() if withdrawn.get(name))
