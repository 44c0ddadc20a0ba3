"""Who of a profile's pool may serve a push. Refuses a push that nobody could send."""

from dataclasses import replace

from producer.absence import absence
from producer.request import PushRequest
from volley.errors import UnusableInput
from volley.numbers import NotSendable, e164, parse
from volley.outbox.outbox import Outbox
from volley.sender import Sender


async def choose(outbox: Outbox, request: PushRequest) -> tuple[PushRequest, list[Sender]]:
    """The request with its sender as the pool writes it, and the senders that may serve it."""
    sync = f"run `volley numbers sync --profile {request.profile}`"
    pool = [view.sender for view in await outbox.senders(request.profile) if view.sender.type != "carrier_pool"]
    if not pool:
        raise UnusableInput(f"profile {request.profile} is not known here, or has no numbers: {sync}")
    usable = [sender for sender in pool if sender.active]
    if request.sender is not None:
        wanted = _spelled(request.sender, request.region)
        usable = [sender for sender in usable if sender.number in (request.sender, wanted)]
        if not usable:
            raise await absence(outbox, request.profile, request.sender, request.region)
        request = replace(request, sender=usable[0].number)
    if not usable:
        raise UnusableInput(f"profile {request.profile} has no number that may send ({pool[0].reason}): {sync}")
    return request, usable


def _spelled(sender: str, region: str | None) -> str:
    try:
        return e164(parse(sender, region))
    except NotSendable:
        return sender
