"""Why a sender that somebody named cannot serve a push: unknown, another profile's, not ready, or no sender ID at all."""

from volley.carrier.alphanumeric import RULES, is_alphanumeric, keeps_rules
from volley.errors import UnusableInput
from volley.numbers import NotSendable, e164, parse
from volley.outbox.outbox import Outbox
from volley.sender import Sender


async def absence(outbox: Outbox, profile: str, name: str, region: str | None = None) -> UnusableInput:
    """The error to raise; it says what is wrong with this sender, as far as the last sync knows, and what to do."""
    known = [view.sender for view in await outbox.senders()]
    return UnusableInput(f"sender {name[:30]} {_why(known, profile, name, region)}")


def _why(known: list[Sender], profile: str, name: str, region: str | None) -> str:
    sync = f"run `volley numbers sync --profile {profile}`"
    if is_alphanumeric(name) and not keeps_rules(name):
        return f"can be no alphanumeric sender ID, which has {RULES}: register one that keeps these rules, then {sync}"
    spelled = {name, _spelled(name, region)}
    alike = [each for each in known if each.number in spelled]
    held = next((each for each in alike if each.profile == profile), next(iter(alike), None))
    if held is not None and held.profile != profile:
        return f"is not in the pool of {profile} but in that of {held.profile}: push with that profile, or move the sender and {sync}"
    if held is not None and not held.active:
        doctor = f"`volley numbers doctor '{held.number}' --profile {profile}` tells what to do"
        return f"is in the pool of {profile} but cannot send ({held.reason or 'it is out of the pool'}): {doctor}, then {sync}"
    return f"is not in the pool of {profile}{_hint(known, profile, name)}: {sync}"


def _hint(known: list[Sender], profile: str, name: str) -> str:
    if not is_alphanumeric(name):
        return ""
    ours = (each.number for each in known if each.profile == profile and each.type == "alphanumeric")
    alike = next((each for each in ours if each.casefold() == name.casefold()), None)
    if alike is not None:
        return f" in this spelling; it has {alike!r}"
    return f" (register it on the profile first: volley numbers assign '{name}' --profile {profile})"


def _spelled(sender: str, region: str | None) -> str:
    try:
        return e164(parse(sender, region))
    except NotSendable:
        return sender
