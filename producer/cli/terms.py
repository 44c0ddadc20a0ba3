"""`volley campaigns set`: a campaign's terms, changed while it runs; and the words in which terms are given."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from producer.cli.output import emit, say
from volley.errors import UnusableInput

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="A campaign's id, as volley send printed it.")]
Given = str | None
NONE = "none"


def option(name: str) -> str:
    """send_at → --send-at"""
    return "--" + name.replace("_", "-")


def moment(option: str, given: Given) -> datetime | None:
    """Raises UnusableInput for what is no moment."""
    try:
        return None if given is None or given == NONE else datetime.fromisoformat(given)
    except ValueError:
        raise UnusableInput(f"{option} {given!r} is no moment: write 2030-01-31T18:00:00+01:00") from None


def number(option: str, given: Given) -> Decimal | None:
    """Raises UnusableInput for what is no number."""
    try:
        return None if given is None or given == NONE else Decimal(given)
    except InvalidOperation:
        raise UnusableInput(f"{option} {given!r} is no number: write 12.5") from None


def set_terms(
    campaign_id: CampaignId,
    rate: Annotated[Given, typer.Option(metavar="N|none", help="At most so many parts per second.")] = None,
    start: Annotated[Given, typer.Option(metavar="MOMENT|none", help="Nothing is sent before this.")] = None,
    quiet_hours: Annotated[
        Given, typer.Option(metavar="HH:MM-HH:MM|none", help="On the recipients' own clocks.")
    ] = None,
    budget: Annotated[Given, typer.Option(metavar="N|none", help="Money, after which it stops.")] = None,
    pause_on_failures: Annotated[Given, typer.Option(metavar="SHARE|none", help="It pauses itself then (0.1).")] = None,
    pause_on_opt_outs: Annotated[
        Given, typer.Option(metavar="SHARE|none", help="It pauses itself then (0.02).")
    ] = None,
    expires: Annotated[Given, typer.Option(metavar="MOMENT|none", help="Nothing is sent after this.")] = None,
    priority: Annotated[Given, typer.Option(metavar="urgent|bulk", help="urgent goes before bulk.")] = None,
    as_json: Json = False,
) -> None:
    """Changes what a campaign may do, while it runs: what is not named stays, none lifts a limit."""
    from producer.cli.desk import Desk, arm, at_desk
    from producer.sight.overview import one_campaign

    given = {name: text for name, text in locals().items() if name in _READ}
    changes: dict[str, Any] = {
        name: _READ[name](option(name), text) for name, text in given.items() if text is not None
    }

    async def work(desk: Desk) -> dict[str, Any]:
        await desk.outbox.change(campaign_id, **changes)
        view = await desk.outbox.campaign(campaign_id)
        if view is not None and view.state == "ready" and view.waiting:
            await arm(desk, view.campaign)
        return await one_campaign(desk.outbox, desk.settings, campaign_id)

    document = at_desk(work)
    if as_json:
        emit(document)
        return
    say(f"campaign {campaign_id} is changed")
    if document["waits_for"]:
        say(f"it waits for {document['waits_for']}")


def _word(_option: str, given: Given) -> Given:
    return None if given == NONE else given


_READ = {
    "rate": number,
    "start": moment,
    "quiet_hours": _word,
    "budget": number,
    "pause_on_failures": number,
    "pause_on_opt_outs": number,
    "expires": moment,
    "priority": _word,
}
