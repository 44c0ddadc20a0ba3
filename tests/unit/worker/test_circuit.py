"""When a worker takes the carrier for gone, and what tells it that it is there."""

import asyncio
from dataclasses import dataclass, field

import pytest
from redis.exceptions import ConnectionError as RedisAway

from volley.carrier.outcome import LATE, Accepted, NotSent, Outcome, PerhapsSent, Refused, Throttled
from worker.circuit import IN_A_ROW, LEAST, WINDOW_S, Circuit, Window, answers

LOST = PerhapsSent("HTTP 503", 503)


@pytest.mark.parametrize(
    ("outcome", "well"),
    [
        (Accepted("id"), True),
        (Throttled(1.0, "account", 429, "10011", ""), True),
        (Refused(400, "40310", ""), True),
        (Refused(502, "", "a page of somebody else's"), None),
        (PerhapsSent("no answer in time", 0), False),
        (NotSent("no connection"), False),
        (NotSent("the line was closed"), None),
        (NotSent(LATE), None),
    ],
)
def test_an_answer_in_the_carriers_own_words_shows_that_it_is_there(outcome: Outcome, well: bool | None) -> None:
    assert answers(outcome) is well


def test_ten_in_a_row_without_an_answer_are_enough() -> None:
    window = Window()
    assert [window.failed(n, n) for n in range(IN_A_ROW)] == [False] * (IN_A_ROW - 1) + [True]


def test_an_answer_between_begins_the_row_anew() -> None:
    window = Window()
    for n in range(IN_A_ROW - 1):
        window.failed(n / 100, 1)
    window.answered(0.5, 1)
    assert not window.failed(0.6, 1)


def test_those_that_were_begun_before_the_last_answer_are_no_row() -> None:
    """Answers that never come are known for it when others have long been given: a few of very many."""
    window = Window()
    for n in range(90):
        window.answered(n, 5)
    assert not any(window.failed(n, 10) for n in range(0, 90, 4))


def test_half_of_many_without_an_answer_are_enough_and_less_are_not() -> None:
    def storm(share: int) -> bool:
        window, opened = Window(), False
        for n in range(10 * LEAST):
            if n % share:
                window.answered(n / 1000, n / 1000)
            else:
                opened = window.failed(n / 1000, n / 1000) or opened
        return opened

    assert storm(2)
    assert not storm(3)


def test_what_is_long_past_counts_no_more() -> None:
    window = Window()
    for _ in range(LEAST // 2):
        window.answered(0, 0)
        window.failed(-1, 0)
    assert not window.failed(-1, WINDOW_S + 1)


@dataclass
class Told:
    """Redis as the circuit tells it."""

    fails: int = 0
    said: list[tuple[int, str]] = field(default_factory=list)

    async def trip(self, granted_us: int, why: str) -> tuple[bool, int]:
        if self.fails:
            self.fails -= 1
            raise RedisAway
        self.said.append((granted_us, why))
        return True, granted_us + 5

    async def close(self, granted_us: int) -> bool:
        self.said.append((granted_us, ""))
        return True


async def tell(circuit: Circuit) -> None:
    running = asyncio.create_task(circuit.run())
    await circuit.told()
    running.cancel()


def opened(told: Told) -> Circuit:
    circuit = Circuit(told)  # type: ignore[arg-type]
    for _ in range(IN_A_ROW):
        circuit.saw(LOST, 100, 1.0, False)
    assert circuit.is_open
    return circuit


async def test_it_opens_here_at_once_and_for_all_even_when_redis_is_away_at_first() -> None:
    told = Told(fails=2)
    circuit = opened(told)
    circuit.heard(101, False)
    assert circuit.is_open, "a take of before knows nothing of it"
    await tell(circuit)
    assert told.said == [(100, "HTTP 503")]


async def test_what_was_granted_before_it_opened_neither_closes_it_nor_opens_it_again() -> None:
    told = Told()
    circuit = opened(told)
    await tell(circuit)
    circuit.heard(200, False)
    assert not circuit.is_open
    for _ in range(2 * IN_A_ROW):
        circuit.saw(LOST, 100, 1.0, False)
    assert not circuit.is_open
    assert len(told.said) == 1


async def test_only_a_probe_closes_it_or_makes_its_rest_longer() -> None:
    told = Told()
    circuit = opened(told)
    await tell(circuit)
    circuit.answered(104, 2.0, False)
    circuit.heard(300, True)
    circuit.saw(LOST, 300, 3.0, True)
    await tell(circuit)
    circuit.answered(400, 4.0, True)
    await tell(circuit)
    assert told.said == [(100, "HTTP 503"), (300, "HTTP 503"), (400, "")]


async def test_a_clock_of_redis_that_is_set_back_keeps_nobody_from_hearing_that_it_is_closed() -> None:
    hour_us = 3_600_000_000
    told = Told()
    circuit = Circuit(told)  # type: ignore[arg-type]
    circuit.heard(2 * hour_us, True)
    circuit.heard(hour_us, False)
    assert not circuit.is_open
