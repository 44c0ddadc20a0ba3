"""The same request made again, whatever has happened to its campaign or its key since; and moments that no clock shows."""

import pytest
import redis

from tests.flow.api.conftest import ALL, PROFILE, Answer, Office
from tests.flow.cli.conftest import wait_until

RECIPIENTS = [{"to": "+13125550100"}]


def keyed(key: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": key}}


def test_a_push_that_is_repeated_after_its_campaign_was_changed_has_its_answer(office: Office) -> None:
    push = {"profile": PROFILE, "text": "Hi", "recipients": RECIPIENTS, "rate": "5", "budget": "3"}
    first = office.post("/v1/campaigns", push, **keyed("changed"))
    assert first.status == 202, first.body
    changes = {"rate": "7", "budget": None, "priority": "urgent", "quiet_hours": "21:00-08:00"}
    assert office.call("PATCH", first.json["status_url"], changes).status == 200
    again = office.post("/v1/campaigns", push, **keyed("changed"))
    assert (again.status, again.json) == (202, first.json)


def test_a_push_that_is_repeated_when_its_campaign_has_left_redis_has_its_answer(office: Office) -> None:
    push = {"profile": PROFILE, "text": "Hi, you", "recipients": RECIPIENTS, "rate": "5"}
    first = office.post("/v1/campaigns", push, **keyed("long ago"))
    name = first.json["campaign_id"]
    wait_until(lambda: office.get(f"/v1/campaigns/{name}/export").status == 200)
    with redis.Redis.from_url(office.valkey.url) as client:
        held = client.dump(key := f"volley:{{default}}:campaign:{name}")
        assert held is not None
        assert client.delete(key) == 1
        again = office.post("/v1/campaigns", push, **keyed("long ago"))
        other = office.post("/v1/campaigns", push | {"rate": "6"}, **keyed("long ago"))
        client.restore(key, 0, held)
    assert (again.status, again.json) == (202, first.json)
    assert other.problem == "idempotency-key-taken"


@pytest.mark.parametrize("left_out", ["rate", "budget", "tags", "quiet_hours"])
def test_a_key_with_an_option_less_or_another_one_is_another_request(office: Office, left_out: str) -> None:
    options = {"rate": "5", "budget": "3", "tags": ["spring"], "quiet_hours": "21:00-08:00"}
    push = {"profile": PROFILE, "text": "Hi", "recipients": RECIPIENTS, **options}
    assert office.post("/v1/campaigns", push, **keyed("options")).status == 202
    other = {**push, "quiet_hours": "22:00-08:00"} if left_out == "quiet_hours" else push.copy()
    if left_out != "quiet_hours":
        del other[left_out]
    answer = office.post("/v1/campaigns", other, **keyed("options"))
    assert answer.problem == "idempotency-key-taken"
    assert left_out in answer.json["detail"]


def test_a_push_that_is_repeated_with_its_callback_is_called_back_once_and_another_callback_is_another_push(
    office: Office,
) -> None:
    push = {"profile": PROFILE, "text": "Hi", "recipients": RECIPIENTS, "callback_url": "https://hooks.example.com/in"}
    first, again = (office.post("/v1/campaigns", push, **keyed("called")) for _ in range(2))
    assert (first.status, again.status, again.json) == (202, 202, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    bare = {name: value for name, value in push.items() if name != "callback_url"}
    for other in ({**push, "callback_url": "https://hooks.example.com/other"}, bare):
        answer = office.post("/v1/campaigns", other, **keyed("called"))
        assert answer.problem == "idempotency-key-taken"
        assert "callback_url" in answer.json["detail"]

    def called() -> list[str]:
        told = office.get("/v1/callbacks").json["callbacks"]
        return [each["url"] for each in told if each["campaign_id"] == first.json["campaign_id"]]

    wait_until(called)
    assert called() == [push["callback_url"]]


def test_a_key_that_may_send_no_more_today_hears_again_what_became_of_what_it_sent(office: Office) -> None:
    _, key = office.make_key("send", daily=2)
    sent = {"profile": PROFILE, "messages": [{"to": f"+1312555011{n}", "text": "Hi"} for n in range(2)]}
    first = office.post("/v1/messages", sent, key=key, **keyed("allowed"))
    again = office.post("/v1/messages", sent, key=key, **keyed("allowed"))
    assert (first.status, again.status, again.json) == (202, 202, first.json)
    assert office.post("/v1/messages", sent, key=key, **keyed("another")).problem == "too-many-requests"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/campaigns"])
def test_what_is_perhaps_sealed_stays_counted_and_its_repeat_is_not_counted_again(office: Office, path: str) -> None:
    """It is there and will be sent; Redis only did not say in time that it is on the disk."""
    _, key = office.make_key("send", daily=3)

    def send(name: str, start: int, count: int) -> Answer:
        people = [{"to": f"+1312555{start + n:04d}"} for n in range(count)]
        one = {"messages": [each | {"text": "Hi"} for each in people]}
        asked = one if path == "/v1/messages" else {"text": "Hi", "recipients": people}
        return office.post(path, {"profile": PROFILE, **asked}, key=key, **keyed(f"{path} {name}"))

    with redis.Redis.from_url(office.valkey.url) as client:
        client.config_set("maxmemory", 1 << 20)
        try:
            assert send("full", 210, 3).problem == "try-again-later"
        finally:
            client.config_set("maxmemory", 0)
        client.config_set("appendfsync", "no")
        try:
            unsure, still = send("unsure", 220, 2), send("unsure", 220, 2)
        finally:
            client.config_set("appendfsync", "always")
    assert (unsure.status, unsure.problem) == (503, "try-again-later")
    assert (still.status, still.problem) == (503, "try-again-later"), "nor is a repeat told before it is on the disk"
    assert "on its disk" in unsure.json["detail"]
    assert send("two more", 230, 2).problem == "too-many-requests"
    again = send("unsure", 220, 2)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert send("one more", 240, 1).status == 202
    assert send("another", 250, 1).problem == "too-many-requests"


def test_a_key_without_a_limit_is_not_counted(office: Office) -> None:
    _, key = office.make_key("send")
    one = {"profile": PROFILE, "to": "+13125550120", "text": "Hi"}
    assert office.post("/v1/messages", one, key=key, **keyed("counted")).status == 202
    assert office.post("/v1/messages", one, key=key, **keyed("counted")).headers["Idempotent-Replayed"] == "true"
    with redis.Redis.from_url(office.valkey.url) as client:
        counted = [client.hgetall(name) for name in client.keys("volley:{default}:allowed:*")]  # type: ignore[union-attr]
    assert not any(key.split("_")[2].encode() in each for each in counted)  # type: ignore[operator]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "2200-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"])
@pytest.mark.parametrize("what", ["start", "expires"])
def test_a_moment_that_no_clock_shows_is_refused_and_all_that_is_watched_goes_on(
    office: Office, what: str, moment: str
) -> None:
    push = {"profile": PROFILE, "text": f"Hi {what} {moment}", "recipients": RECIPIENTS}
    assert office.post("/v1/campaigns", {**push, what: moment}).problem == "invalid"
    name = office.post("/v1/campaigns", push).json["campaign_id"]
    assert office.call("PATCH", f"/v1/campaigns/{name}", {what: moment}).problem == "invalid"
    _, reads = office.make_key(*ALL)
    for path in ("/v1/campaigns", "/v1/facts", f"/v1/campaigns/{name}", "/metrics"):
        assert office.get(path, key=reads).status == 200


def test_a_name_with_a_nul_names_nothing(office: Office) -> None:
    for path in ("campaigns/%00", "campaigns/%00/export", "messages/%00", "why/%00", "callbacks/%00/deliveries"):
        answer = office.get(f"/v1/{path}")
        assert (answer.status, answer.problem) in ((404, "not-found"), (403, "missing-scope"))
        assert "NUL" in answer.json["detail"]
