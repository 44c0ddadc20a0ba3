"""The demo's checks see what they are there to see, and nothing else."""

from producer.demo.promises import pins_held, too_fast, twice
from volley.carrier.reference import sign, webhook_url
from volley.sandbox.arrivals import Arrival

SECRET = b"k" * 32


def arrival(at_s: float, *, parts: int = 1, sender: str = "+1", to: str = "+2", campaign: str = "a" * 16) -> Arrival:
    url = webhook_url("http://here", "default", sign(f"{campaign}-0-0", SECRET))
    return Arrival(round(at_s * 1e6), 0, sender, to, parts, "id", "key", url, 0, 200, "", "accepted", "")


def test_a_steady_pace_is_not_too_fast_and_twice_that_is() -> None:
    assert too_fast([arrival(n / 10) for n in range(100)], {"+1": 10.0}, 10.0) == []
    assert too_fast([arrival(n / 20) for n in range(100)], {"+1": 10.0}, 20.0) == ["+1"]
    assert too_fast([arrival(n / 20) for n in range(100)], {"+1": 20.0}, 10.0) == ["account"]


def test_a_fixed_window_that_sends_twice_its_rate_at_the_border_is_seen() -> None:
    burst = [arrival(0.99 + n / 1000) for n in range(10)] + [arrival(1.01 + n / 1000) for n in range(10)]
    assert too_fast(burst, {"+1": 10.0}, 1000.0) == ["+1"]


def test_a_sender_without_a_rate_is_too_fast() -> None:
    assert too_fast([arrival(0), arrival(0.1)], {}, 1000.0) == ["+1"]


def test_a_person_twice_in_a_campaign_is_seen_and_in_two_campaigns_is_not() -> None:
    assert twice([arrival(0), arrival(1, campaign="b" * 16)]) == 0
    assert twice([arrival(0), arrival(1)]) == 1


def test_a_pin_holds_where_both_campaigns_used_the_same_sender() -> None:
    first, second = "a" * 16, "b" * 16
    log = [
        arrival(0, to="+2", sender="+1"),
        arrival(0, to="+3", sender="+1"),
        arrival(0, to="+4", sender="+1"),
        arrival(1, to="+2", sender="+1", campaign=second),
        arrival(1, to="+3", sender="+9", campaign=second),
    ]
    assert pins_held(log, first, second) == (1, 2)
