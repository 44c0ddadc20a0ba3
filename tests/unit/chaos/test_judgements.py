"""What experiments judge by themselves, beside the four checks: each sees what it is there to see."""

import msgpack

from tests.chaos.experiments.e16_sticky_race import _wandering
from tests.chaos.experiments.e21_pause_cancel_stop import _by_the_stream
from tests.chaos.experiments.e23_strange_files import UNUSABLE, Found, Strange, _check
from volley.outbox.events import MOVE, NOBODY, AttemptRecord
from volley.sandbox.arrivals import Arrival

CAMPAIGN = "0123456789abcdef"
Entry = tuple[bytes, dict[bytes, bytes]]


def campaign(state: str, at_us: int) -> Entry:
    return b"1-0", {b"k": b"campaign", b"c": CAMPAIGN.encode(), b"s": state.encode(), b"t": b"%d" % at_us}


def attempt(taken_us: int, *, mark: str = "a") -> Entry:
    fields = dict.fromkeys(AttemptRecord._fields, 0) | {"campaign": CAMPAIGN, "taken_us": taken_us, "sent_us": taken_us}
    return b"1-0", {b"k": b"attempts", b"p": msgpack.packb([list(fields.values())]), b"m": mark.encode()}


def test_a_message_that_is_taken_after_a_pause_is_seen() -> None:
    told = _by_the_stream([campaign("paused", 100), attempt(90), attempt(101)])
    assert told.taken == [f"{CAMPAIGN}-0-0"]


def test_what_ends_between_a_pause_and_its_end_was_in_flight_reaped_ones_included() -> None:
    reaped = MOVE.pack(CAMPAIGN.encode(), 0, 7, b"?", NOBODY, 1)
    reap: Entry = (b"1-0", {b"k": b"moves", b"w": b"reap", b"p": reaped})
    entries = [attempt(10), campaign("paused", 100), attempt(90), reap, attempt(95, mark="-")]
    told = _by_the_stream([*entries, campaign("resumed", 200), attempt(210), campaign("cancelled", 300)])
    assert (told.taken, told.ended) == ([], [2, 0])


def arrival(at_us: int, sender: str) -> Arrival:
    return Arrival(at_us, 0, sender, "+1", 1, "", "k", "", 0, 200, "", "accepted", "")


def test_a_person_who_changes_their_sender_without_cause_is_seen() -> None:
    took = [arrival(1, "A"), arrival(2, "B"), arrival(9, "C")]
    assert _wandering(took, {}) == (["+1: A then B", "+1: B then C"], 1)
    assert _wandering(took, {"A": (2, 3), "B": (5, 6)}) == ([], 1)
    assert _wandering(took, {"A": (3, 4), "B": (5, 6)}) == (["+1: A then B"], 1)


def sees(strange: Strange, found: Found, stored: int = 0, left: object = ()) -> bool:
    try:
        _check(strange, found, stored, left)
    except AssertionError:
        return True
    return False


def test_a_part_of_a_file_a_row_that_is_not_told_of_and_what_is_left_behind_are_seen() -> None:
    good, bad = Strange("x.csv", b"", rows=3), Strange("x.csv", b"", damaged=True)
    assert not sees(good, Found(3, 2, 1), stored=2)
    assert not sees(bad, Found(UNUSABLE))
    assert sees(good, Found(3, 2, 0), stored=2), "one of three rows is told of by nobody"
    assert sees(good, Found(3, 2, 1), stored=1), "less in Redis than was accepted"
    assert sees(good, Found(UNUSABLE)), "a good file is refused"
    assert sees(bad, Found(0, 1, 0), stored=1), "a damaged file is taken"
    assert sees(bad, Found(UNUSABLE), left=["volley:{default}:chunk:x"]), "a refused file leaves something"
    assert sees(good, Found(1, None, None), left=1), "so does one of which no row is good"
    assert sees(good, Found(70)), "an exit code of no promise"
