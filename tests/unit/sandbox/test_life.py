"""What becomes of a message: the same for the same seed, in the shares that were asked for, and priced accordingly."""

from collections import Counter

import orjson

from volley.sandbox.config import ReceiptSpec, Tariff
from volley.sandbox.life import Life, life, payload_at
from volley.sandbox.moments import VALID_US
from volley.sandbox.payload import Prices

RECEIVED = 1_700_000_000_000_000
POSTED = orjson.dumps(
    {
        "data": {
            "to": [{"phone_number": "+12025550123", "status": "queued"}],
            "parts": 3,
            "cost": {"amount": "0.021", "currency": "USD"},
            "valid_until": "x",
        }
    }
)


def _status(payload: dict[str, object]) -> object:
    recipients = payload["to"]
    assert isinstance(recipients, list)
    return recipients[0]["status"]


def test_fates_repeat_with_their_seed_and_come_in_their_shares() -> None:
    spec = ReceiptSpec(failed=0.2, unconfirmed=0.1, silent=0.1)
    fates = [life(spec, 1, place, RECEIVED, 0) for place in range(2000)]
    assert fates == [life(spec, 1, place, RECEIVED, 0) for place in range(2000)]
    ends = Counter(fate.end for fate in fates)
    assert 320 < ends["delivery_failed"] < 480
    assert 1100 < ends["delivered"] < 1300
    assert {fate.done_us for fate in fates if fate.end == "sent"} == {None}


def test_a_message_leaves_the_queue_before_it_is_sent() -> None:
    fate = life(ReceiptSpec(sent_after_s=1), 1, 0, RECEIVED, 5_000_000)
    assert fate.sent_us == RECEIVED + 6_000_000


def test_what_waits_longer_than_it_is_valid_expires_and_costs_nothing() -> None:
    fate = life(ReceiptSpec(), 1, 0, RECEIVED, VALID_US + 1)
    assert (fate.sent_us, fate.end, fate.code) == (None, "sending_failed", "40014")
    payload = payload_at(POSTED, fate, Prices(Tariff()), RECEIVED + VALID_US)
    assert (_status(payload), payload["cost"]) == ("sending_failed", {"amount": "0.0", "currency": "USD"})


def test_a_failure_behind_the_queue_is_charged() -> None:
    fate = Life(RECEIVED, RECEIVED + 1, "delivery_failed", "40008", False, False)
    payload = payload_at(POSTED, fate, Prices(Tariff()), RECEIVED + 1)
    assert payload["cost"] == {"amount": "0.021", "currency": "USD"}


def test_a_status_moves_with_time() -> None:
    fate = life(ReceiptSpec(sent_after_s=1, done_after_s=(1, 1)), 1, 0, RECEIVED, 0)
    moments = [RECEIVED + seconds * 1_000_000 for seconds in (0, 1, 2)]
    seen = [_status(payload_at(POSTED, fate, Prices(Tariff()), moment)) for moment in moments]
    assert seen == ["queued", "sent", "delivered"]
