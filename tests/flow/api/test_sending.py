"""All sending stopped and resumed over HTTP: durable when it is answered, in the key's name, for those who may steer."""

from tests.flow.api.conftest import Office
from volley.outbox import halt


def test_all_sending_is_stopped_when_it_is_answered_and_goes_on_the_same_way(office: Office) -> None:
    assert office.get("/v1/sending").json == {"stopped": False, "reason": ""}
    done = office.post("/v1/sending:stop", {"why": "a wrong text"}).json
    assert done == {"stopped": True, "changed": True, "in_flight": 0}
    reason = office.outbox(halt.stopped)
    assert reason.startswith("stopped by api:")
    assert reason.endswith(": a wrong text")
    assert office.get("/v1/sending").json == {"stopped": True, "reason": reason}
    assert office.post("/v1/sending:stop", {}).json["changed"] is False
    assert office.post("/v1/sending:resume").json == {"stopped": False, "changed": True, "in_flight": 0}
    assert office.outbox(halt.stopped) == ""


def test_a_key_that_may_only_send_or_read_stops_nothing(office: Office) -> None:
    for scope in ("send", "read"):
        _, token = office.make_key(scope)  # type: ignore[arg-type]
        refused = office.post("/v1/sending:stop", {"why": ""}, key=token)
        assert refused.status == 403
    assert office.outbox(halt.stopped) == ""
