"""What the carrier tells of limits and blocks makes rest what they are about: in any order, however often, and not too long."""

import itertools
import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.flow.cli.conftest import wait_until
from tests.flow.webhooks.conftest import QUIET_PROFILE, House, event
from volley.sandbox.config import API_KEY, PROFILE_ID

SPEND = "messaging-profile.spend-limit-reached"


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def spent(name: str, profile: str, when: str) -> bytes:
    return event(name, SPEND, {"configured_limit": "25.00", "current_cost": "25.01", "profile_id": profile}, when)


def failed(name: str, sender: str, code: str, when: str, title: str = "failed", to: str = "+12025550177") -> bytes:
    payload = {
        "id": f"c-{name}",
        "from": {"phone_number": sender},
        "to": [{"phone_number": to, "status": "delivery_failed"}],
        "messaging_profile_id": PROFILE_ID,
        "errors": [{"code": code, "title": title, "detail": f"to {to}"}],
    }
    return event(name, "message.finalized", payload, when)


def test_yesterdays_limit_and_a_profile_that_nobody_knows_make_nothing_rest(house: House) -> None:
    assert house.post(spent("old", QUIET_PROFILE, ago(2 * 86_400))) == 200
    assert house.post(spent("whose", "nobody's", ago(1))) == 200
    assert house.rests() == {}
    assert house.count("spend_limits") == 2


@pytest.mark.parametrize("order", list(itertools.permutations([("a", 1), ("b", 30), ("old", 2 * 86_400)]))[::2])
def test_a_reached_limit_rests_the_profile_until_its_day_is_over(
    house: House, order: tuple[tuple[str, int], ...]
) -> None:
    for name, age_s in (*order, *order):
        assert house.post(spent(name, QUIET_PROFILE, ago(age_s))) == 200
    [rest] = [each for each in house.world.json("status")["rests"] if each["name"] == QUIET_PROFILE]  # type: ignore[attr-defined]
    assert "daily spend limit" in rest["reason"]
    assert "25.01 of 25.00" in rest["reason"]
    until = datetime.fromisoformat(rest["until"])
    now = datetime.now(UTC)
    assert now < until <= now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1, minutes=2)


def test_the_carriers_own_event_has_the_same_end(house: House) -> None:
    house.control("spend", {"profile_id": PROFILE_ID, "amount": "5.01"})
    body = {"from": house.numbers()[0], "to": "+12025550178", "text": "hello", "messaging_profile_id": PROFILE_ID}
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{house.carrier}/v2/messages", json.dumps(body).encode(), headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 429
    wait_until(lambda: "daily spend limit" in house.rests().get(PROFILE_ID, ""))
    assert "5.01 of 5" in house.rests()[PROFILE_ID]


def test_a_code_that_stops_a_sender_rests_it_once_and_not_once_a_receipt(house: House) -> None:
    sender, before = house.numbers()[1], house.count("rests")
    for n in range(50):
        assert house.post(failed(f"slow-{n}", sender, "40011", ago(1))) == 200
    assert "40011" in house.rests()[sender]
    assert house.count("rests") == before + 1


def test_a_stop_that_is_over_when_its_receipt_comes_stops_nothing(house: House) -> None:
    sender = house.numbers()[2]
    assert house.post(failed("late", sender, "40011", ago(61))) == 200
    assert house.post(failed("never", sender, "40001", ago(1))) == 200
    assert house.post(failed("unknown", sender, "49999", ago(1))) == 200
    assert house.post(failed("whose", "+12025550999", "40003", ago(1))) == 200
    assert sender not in house.rests()


def test_a_sender_that_is_blocked_for_good_rests_a_day(house: House) -> None:
    sender = house.numbers()[3]
    assert house.post(failed("spam", sender, "40003", ago(10))) == 200
    [rest] = [each for each in house.world.json("status")["rests"] if each["name"] == sender]  # type: ignore[attr-defined]
    left_s = datetime.fromisoformat(rest["until"]).timestamp() - time.time()
    assert 86_000 < left_s < 86_400


def test_a_late_40300_is_an_opt_out_only_if_its_words_say_so(house: House) -> None:
    sender, person, other, when = house.numbers()[0], "+12025550181", "+12025550182", ago(5)
    assert house.post(failed("block", sender, "40300", when, "Blocked due to STOP message", person)) == 200
    assert house.post(failed("route", sender, "40300", ago(5), "Invalid destination", other)) == 200
    assert house.opted_out() == [person]
    house.says("START", person, sender)
    wait_until(lambda: house.opted_out() == [])
    assert house.post(failed("block", sender, "40300", when, "Blocked due to STOP message", person)) == 200
    assert house.opted_out() == [], "the START was said later"
