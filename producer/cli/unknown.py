"""`volley campaigns unknown`: messages of which nobody knows whether the carrier has them, and what is to become of them."""

from typing import Annotated, Any

import typer

from producer.cli.output import emit, note, say, table
from volley.campaign import OnUnknown
from volley.errors import UnusableInput

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CampaignId = Annotated[str, typer.Argument(metavar="ID", help="A campaign's id, as volley send printed it.")]

_MOST = 200


def unknown(
    campaign_id: CampaignId,
    hold: Annotated[bool, typer.Option("--hold", help="From now on: wait for the carrier's word.")] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="From now on: send again, though some may come twice.")
    ] = False,
    give_up: Annotated[bool, typer.Option("--give-up", help="From now on: close them after a time.")] = False,
    as_json: Json = False,
) -> None:
    """Messages of which nobody knows whether they were sent: since when, how often asked about, what each waits for."""
    asked: dict[OnUnknown, bool] = {"hold": hold, "retry": retry, "give-up": give_up}
    wanted = [policy for policy, wished in asked.items() if wished]
    if len(wanted) > 1:
        raise UnusableInput("--hold, --retry and --give-up exclude each other: give only one of them")
    document = _asked(campaign_id, wanted[0] if wanted else None)
    if as_json:
        emit(document)
        return
    if wanted:
        say(f"unknown messages of campaign {campaign_id}: {wanted[0]} from now on")
    _show(document)


def _asked(campaign_id: str, policy: OnUnknown | None) -> dict[str, Any]:
    from producer.cli.desk import Desk, at_desk
    from producer.sight.unknown import document
    from volley.outbox.doubts import change_policy

    async def work(desk: Desk) -> dict[str, Any]:
        if policy is not None:
            action = desk.outbox.action("on_unknown", campaign_id, on_unknown=policy)
            await change_policy(desk.outbox.scripts, campaign_id, policy, action)
        return await document(desk.outbox, campaign_id)

    return at_desk(work)


def _show(document: dict[str, Any]) -> None:
    messages = document["messages"]
    if not messages:
        say(f"no message of campaign {document['campaign_id']} is unknown and waits")
    else:
        rows = [(each["message_id"], each["since"], each["repeats"], each["waits_for"]) for each in messages[:_MOST]]
        table(("message", "unknown since", "asked", "waits for"), rows)
    if len(messages) > _MOST:
        note(f"{len(messages) - _MOST} more: --json shows all")
    if document["possibly_lost"]:
        note(f"{document['possibly_lost']} were given up, and may be lost")
    if document["possibly_twice"]:
        note(f"{document['possibly_twice']} may have come twice")
