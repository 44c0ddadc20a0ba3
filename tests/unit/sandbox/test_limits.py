"""Queues past a number's rate, and the limit of HTTP requests."""

import pytest

from volley.sandbox.limits import Bucket, Queues, RequestLimit
from volley.sandbox.replies import Refusal


def test_a_message_waits_for_the_parts_before_it() -> None:
    queues, sender = Queues(0, 14_400), Bucket(0.1, 14_400)
    waits = [queues.enter(sender, 1_000_000, parts) for parts in (1, 3, 1)]
    assert waits == [0, 10_000_000, 40_000_000]


def test_an_idle_queue_saves_nothing_up() -> None:
    sender = Bucket(1, 14_400)
    sender.charge(0, 1)
    assert sender.wait_us(100_000_000, 1) == 0
    sender.charge(100_000_000, 1)
    assert sender.wait_us(100_000_000, 1) == 1_000_000


def test_a_queue_is_full_after_rate_times_four_hours_of_parts() -> None:
    queues, sender = Queues(0, 14_400), Bucket(0.1, 14_400)
    for _ in range(1441):  # the one that leaves at once, and 1,440 that wait
        queues.enter(sender, 1_000_000, 1)
    with pytest.raises(Refusal, match="40318"):
        queues.enter(sender, 1_000_000, 1)


def test_the_account_s_queue_holds_all_senders_back() -> None:
    queues = Queues(1, 14_400)
    assert [queues.enter(Bucket(100, 14_400), 0, 1) for _ in range(3)] == [0, 1_000_000, 2_000_000]


def test_a_full_sender_does_not_use_up_the_account() -> None:
    queues, full = Queues(1, 10), Bucket(1, 1)
    queues.enter(full, 0, 1)
    queues.enter(full, 0, 1)
    with pytest.raises(Refusal):
        queues.enter(full, 0, 1)
    assert queues.enter(None, 0, 1) == 2_000_000


def test_requests_above_the_limit_wait_for_the_next_window() -> None:
    limit = RequestLimit(2, 1.0)
    answers = [limit.enter(at) for at in (0, 10, 20, 1_000_000)]
    assert [passes for passes, _ in answers] == [True, True, False, True]
    assert b"retry-after: 1\r\n" in answers[2][1]
    assert b"x-ratelimit-remaining: 0\r\n" in answers[1][1]
