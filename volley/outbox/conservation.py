"""Never lost, as something that can be looked at: the messages accepted are all there, each in one state and one place.

Pure: what a Snapshot shows, judged. A snapshot is of one moment, so whatever is found here is wrong, however busy it is.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from volley.message import MessageId
from volley.outbox.snapshot import Places, Snapshot, Spot
from volley.state import OPEN, STATUS, State

_NAMED = 20
"""Messages that a sentence names; JSON has more."""
MOST = 1000
"""Messages of one kind that a breach holds."""

SAYS = {
    "counters": "its counters do not add up to what was accepted",
    "states": "its counters and the states of its messages differ",
    "lane_count": "its count of messages in lanes is not what its lanes hold",
    "not_flying": "are being sent and in no flight: nobody will settle or reap them",
    "flies_twice": "are in two flights at once",
    "flies_ready": "are in a flight and ready to be sent again",
    "nowhere": "are ready and in no lane: nobody will send them",
    "waits_twice": "wait in two places",
    "undoubted": "are unknown, not given up, and nobody looks after them",
    "ledger": "stand otherwise in the ledger than in Redis",
    "lost": "are neither in Redis nor ended in the ledger",
    "ledger_counts": "its counters and the ledger's counts differ",
    "missing": "is open in the ledger and not in Redis",
}
"""Every kind of breach, in words that follow a campaign's id or «messages»."""


class Breach(NamedTuple):
    """Something that must not be. `messages` are those it is about (the first MOST), none where it is about a campaign.

    `chunk`: where it was looked for in a chunk at a time; -1 where in the whole campaign.
    """

    campaign: str
    kind: str
    detail: str = ""
    messages: tuple[Spot, ...] = ()
    chunk: int = -1

    @property
    def ids(self) -> list[str]:
        return [str(MessageId(self.campaign, *spot)) for spot in self.messages]

    @property
    def words(self) -> str:
        """One line for people and logs: ids, never a phone number or a text."""
        says = SAYS[self.kind] + (f" ({self.detail})" if self.detail else "")
        if not self.messages:
            return f"campaign {self.campaign}: {says}"
        named = ", ".join(self.ids[:_NAMED])
        more = len(self.messages) - _NAMED
        return f"messages of campaign {self.campaign} {says}: {named}" + (f" and {more} more" if more > 0 else "")

    def as_json(self) -> dict[str, object]:
        return {
            "campaign_id": self.campaign,
            "kind": self.kind,
            "says": self.words,
            "messages": self.ids,
        }


def judged_counters(campaign_id: str, accepted: int, counters: dict[str, int]) -> Iterator[Breach]:
    """What was accepted is the sum over the states."""
    total = sum(counters.values())
    if total != accepted:
        yield Breach(campaign_id, "counters", f"{accepted} accepted, {total} counted")
    elif min(counters.values()) < 0:
        yield Breach(campaign_id, "counters", "one of them is negative")


def judged(seen: Snapshot) -> list[Breach]:
    """All that is wrong in a snapshot."""
    found = [*judged_counters(seen.campaign.id, seen.campaign.accepted, seen.counters)]
    if seen.whole:
        found += _states(seen)
    if seen.places:
        found += _places(seen, seen.places)
    return found


def _states(seen: Snapshot) -> Iterator[Breach]:
    """What the strings hold is what the counters say; of closed states only at least, as retired chunks are gone."""
    text = b"".join(seen.states.values())
    held = {state: text.count(state.encode()) for state in STATUS}
    strict = OPEN if len(text) < seen.campaign.accepted else frozenset(STATUS)
    gone = {State.UNKNOWN.value: seen.number("gu")}  # what was given up goes with its chunk, unknown as it is
    wrong = [
        f"{STATUS[state]} {seen.counters[state]} counted, {held[state]} there"
        for state in STATUS
        if held[state] > seen.counters[state]
        or (state in strict and held[state] < seen.counters[state] - gone.get(state, 0))
    ]
    if wrong:
        yield Breach(seen.campaign.id, "states", "; ".join(wrong))


def _places(seen: Snapshot, places: Places) -> Iterator[Breach]:
    if seen.number("ln") != places.counted:
        yield Breach(seen.campaign.id, "lane_count", f"{seen.number('ln')} counted, {places.counted} there")
    sending = set(spots(seen, State.SENDING))
    flying = {spot for spot in places.flying if spot[0] in seen.chunks}
    yield from _named(seen, "not_flying", sending - flying)
    # what has ended may fly: a worker has told a server of it that had restarted, and only the carrier's yes counts then
    yield from _named(seen, "flies_ready", flying & set(spots(seen, State.READY)))
    yield from _named(seen, "flies_twice", {spot for spot in flying if places.flying[spot] > 1})
    if len(places.undoubted) > seen.number("gu"):
        yield from _named(seen, "undoubted", set(places.undoubted))
    waits = places.lanes + places.rests
    planned = seen.number("next")
    lost = {spot for spot in set(_to_be_sent(seen)) - waits.keys() if spot[0] not in places.parked}
    yield from _named(seen, "nowhere", lost)
    many = (spot for spot, n in waits.items() if n + (spot[0] >= planned or spot[0] in places.parked) > 1)
    yield from _named(seen, "waits_twice", {spot for spot in many if seen.state(spot) == State.READY.value})


def _to_be_sent(seen: Snapshot) -> Iterator[Spot]:
    """What is ready and waits for no planner; of a campaign that is over, what its sweep has left behind."""
    if not seen.over:
        return spots(seen, State.READY, seen.number("next"))
    return spots(seen, State.READY) if seen.swept else iter(())


def spots(seen: Snapshot, state: State, before: int = 1 << 32) -> Iterator[Spot]:
    """The messages in a state, of chunks before one."""
    wanted = re.compile(re.escape(state.value.encode()))
    for chunk, text in seen.states.items():
        if chunk < before:
            yield from ((chunk, found.start()) for found in wanted.finditer(text))


def _named(seen: Snapshot, kind: str, found: set[Spot]) -> Iterator[Breach]:
    if found:
        yield Breach(seen.campaign.id, kind, "", tuple(sorted(found)[:MOST]))
