"""Callbacks over HTTP: the secret once, only to where callbacks may go, and every change in the audit log."""

from tests.flow.api.conftest import Office


def test_a_callback_is_made_listed_and_removed(office: Office) -> None:
    made = office.post("/v1/callbacks", {"url": "https://192.0.2.1.example.com/in", "types": ["campaign.expired"]})
    assert made.status == 201, made.body
    assert made.json["secret"].startswith("whsec_")
    name = made.json["callback_id"]
    listed = office.get("/v1/callbacks")
    [mine] = [each for each in listed.json["callbacks"] if each["callback_id"] == name]
    assert (mine["types"], mine["disabled"], mine["dead"]) == (["campaign.expired"], None, 0)
    assert made.json["secret"].encode() not in listed.body
    assert office.get(f"/v1/callbacks/{name}/deliveries").json == {"deliveries": []}
    assert office.post(f"/v1/callbacks/{name}:redeliver", {}).json["redelivered"] == 0
    assert office.post(f"/v1/callbacks/{name}:enable").status == 200
    assert office.call("DELETE", f"/v1/callbacks/{name}").status == 200
    assert office.call("DELETE", f"/v1/callbacks/{name}").problem == "not-found"
    actions = office.world.json("actions")["actions"]
    mine_too = [each["what"] for each in actions if each["detail"].get("callback") == name]  # type: ignore[attr-defined]
    assert mine_too == ["callback_remove", "callback_enable", "callback_add"]


def test_a_callback_into_our_own_network_is_refused(office: Office) -> None:
    for url in ("http://example.com/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/"):
        assert office.post("/v1/callbacks", {"url": url}).problem == "invalid"
    assert office.post("/v1/callbacks", {"url": "https://example.com/", "types": ["nothing"]}).problem == "invalid"


def test_a_key_that_may_not_read_has_nobody_called_back_who_would(office: Office) -> None:
    _, token = office.make_key("ops")
    refused = office.post("/v1/callbacks", {"url": "https://example.com/in"}, key=token)
    assert (refused.status, refused.problem) == (403, "missing-scope")
    assert office.get("/v1/callbacks", key=token).status == 200
