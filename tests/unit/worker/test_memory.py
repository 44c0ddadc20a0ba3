"""What a worker keeps to tell a server that has forgotten it."""

from volley.outbox.dispatch import Outcomes
from volley.outbox.flights import OUTCOME, RECORD, Flight, grants
from volley.settings import Settings
from worker.drain import life_s
from worker.memory import Memory, kept_for


def flight(token: str, messages: int = 3) -> Flight:
    records = b"".join(RECORD.pack(1, 0, 0, n, 1, 1, 1, 0, 12025550000 + n, 0) for n in range(messages))
    packed = bytes((1, 1)) + b"c" * 16 + messages.to_bytes(2, "big") + b"s" * messages + records
    return Flight(token, 0, list(grants(packed, 0)), [], "", "run", packed)


def outcomes(token: str, states: str) -> list[Outcomes]:
    return [Outcomes(token, b"".join(OUTCOME.pack(n, state.encode(), 0, 0, 1, -1) for n, state in enumerate(states)))]


def mask(packed: bytes) -> bytes:
    return packed[20:23]


def test_all_but_what_was_provably_not_sent_is_claimed() -> None:
    memory = Memory()
    memory.took(flight("a"), 60_000_000)
    memory.took(flight("b"), 60_000_000)
    memory.settled(outcomes("a", "a.z"), b"")
    memory.settled(outcomes("b", "x?"), b"")
    assert [(claim.token, mask(claim.packed)) for claim in memory.claims()] == [("b", b"sss"), ("a", b"s--")]
    assert [len(claim.packed) for claim in memory.claims()] == [len(flight("a").packed)] * 2


def test_a_claim_lets_its_flight_live_for_what_is_left_of_its_life_and_a_moment_at_least() -> None:
    memory = Memory()
    memory.took(flight("a"), 60_000_000)
    memory.took(flight("late"), 0)
    late, long = memory.claims()
    assert late.left_us == 5_000_000
    assert 50_000_000 < long.left_us + long.age_us <= 60_000_000


def test_it_holds_so_many_bytes_and_no_more_and_the_oldest_go() -> None:
    size = len(flight("0").packed)
    memory = Memory(most_bytes=10 * size)
    for n in range(100):
        memory.took(flight(str(n)), 60_000_000)
        assert memory.size <= 10 * size
    assert [claim.token for claim in memory.claims()] == [str(n) for n in range(99, 89, -1)]
    memory.settled([], b"x" * 100 * size)
    assert (memory.claims(), memory.outcomes(), memory.size) == ([], [], 0)


def test_what_is_old_is_forgotten() -> None:
    memory = Memory(kept_s=0.0)
    memory.took(flight("a"), 60_000_000)
    memory.settled(outcomes("a", "a"), b"payload")
    memory.took(flight("b"), 60_000_000)
    assert [claim.token for claim in memory.claims()] in ([], ["b"])
    assert memory.outcomes() == []


def test_a_flight_is_remembered_for_as_long_as_it_may_be_in_the_air() -> None:
    """With the longest time that an answer may take: else a server that has forgotten it would grant it again meanwhile."""
    (most,) = (each.le for each in Settings.model_fields["http_timeout"].metadata if hasattr(each, "le"))
    assert kept_for(life_s(most)) >= life_s(most) > Memory().kept_s
    assert kept_for(life_s(1)) == Memory().kept_s
