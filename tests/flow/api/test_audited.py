"""Whatever changes something is in the audit log, once, in the name of who did it: over HTTP a key's, at the command line a person's."""

import getpass
import socket
from collections.abc import Callable
from typing import Any

import pytest

from producer.web.table import TABLE
from tests.flow.api.conftest import PROFILE, Office
from tests.flow.api.test_messages import send
from tests.flow.cli.conftest import wait_until

PEOPLE = [{"to": f"+1312555{n:04d}"} for n in range(3)]
OVER_HTTP = {
    "push_campaign": "push",
    "change_campaign": "change",
    "pause_campaign": "pause",
    "resume_campaign": "resume",
    "cancel_campaign": "cancel",
    "stop_sending": "stop",
    "resume_sending": "go_on",
    "add_callback": "callback_add",
    "enable_callback": "callback_enable",
    "remove_callback": "callback_remove",
}
"""Operation → what the audit log calls it."""
ELSEWHERE = {"retry_campaign", "redeliver", "send_messages"}
"""What is dead is needed for two of them: test_retry.py, test_callbacks.py. Messages carry their key as a tag, as they are very many."""


def said(office: Office, who: str) -> list[dict[str, Any]]:
    """What the log has of somebody, the oldest first."""
    found: list[dict[str, Any]] = office.world.json("actions", "--newest", "500")["actions"]  # type: ignore[assignment]
    return [each for each in reversed(found) if each["who"] == who]


def recorded(office: Office, who: str, wanted: list[str]) -> list[dict[str, Any]]:
    """The same, once all that is wanted stands in it."""
    wait_until(lambda: len(said(office, who)) >= len(wanted))
    found = said(office, who)
    assert [each["what"] for each in found] == wanted
    assert all(each["at"].endswith("+00:00") for each in found)
    return found


def test_what_a_key_changes_is_in_the_audit_in_its_name_and_what_it_reads_is_not(office: Office) -> None:
    key_id, token = office.make_key("admin", name="the shop")

    def do(method: str, path: str, body: object = None) -> Any:
        answer = office.call(method, path, body, key=token)
        assert answer.status < 300, answer.body
        return answer.json

    rows = {"profile": PROFILE, "text": "Audited", "recipients": PEOPLE}
    mine = do("POST", "/v1/campaigns", rows)["status_url"]
    assert do("POST", "/v1/campaigns", rows)["status_url"] == mine
    do("POST", "/v1/campaigns?dry_run=true", {**rows, "text": "Never"})
    do("PATCH", mine, {"rate": "7"})
    for verb in ("pause", "pause", "resume", "cancel"):
        do("POST", f"{mine}:{verb}")
    do("POST", "/v1/sending:stop", {"why": "a wrong text"})
    do("POST", "/v1/sending:resume")
    callback = do("POST", "/v1/callbacks", {"url": "https://example.com/in"})["callback_id"]
    do("POST", f"/v1/callbacks/{callback}:enable")
    do("DELETE", f"/v1/callbacks/{callback}")
    for path in (mine, "/v1/campaigns", "/v1/sending", "/v1/events", "/v1/callbacks", "/v1/facts"):
        do("GET", path)
    found = recorded(office, f"api:{key_id} the shop", list(OVER_HTTP.values()))
    of_it = {each["what"] for each in found if each["campaign_id"] == mine.rpartition("/")[2]}
    assert of_it == {"push", "change", "pause", "resume", "cancel"}
    assert found[1]["detail"] == {"rate": "7"}
    of_it = office.get(f"/v1/actions?campaign={mine.rpartition('/')[2]}&limit=1000").json
    assert (of_it["actions"], of_it["next"]) == ([each for each in found[::-1] if each["campaign_id"]], None)


def test_the_log_is_read_page_by_page_and_none_is_told_twice_or_left_out(office: Office) -> None:
    for n in range(4):
        office.post("/v1/sending:stop", {"why": f"reason {n}"})
        office.post("/v1/sending:resume")
    whole: list[dict[str, Any]] = []

    def all_stand_there() -> bool:
        newest = office.get("/v1/actions?limit=2").json["actions"]
        return [(each["what"], each["detail"].get("why")) for each in newest] == [("go_on", None), ("stop", "reason 3")]

    wait_until(all_stand_there)
    cursor = ""
    while cursor is not None:
        page = office.get("/v1/actions?limit=3" + (f"&cursor={cursor}" if cursor else "")).json
        whole, cursor = whole + page["actions"], page["next"]
    assert whole == office.get("/v1/actions?limit=1000").json["actions"]
    assert [each["detail"]["why"] for each in whole if each["what"] == "stop"][:4] == [
        f"reason {n}" for n in (3, 2, 1, 0)
    ]
    since = whole[5]["at"].replace("+00:00", "Z")
    assert office.get(f"/v1/actions?since={since}").json["actions"][-1]["at"] >= whole[5]["at"]
    for odd in ("cursor=x", "campaign=x", "since=yesterday", "limit=0", "who=me"):
        assert office.get(f"/v1/actions?{odd}").problem == "invalid"


def test_no_operation_that_changes_something_was_forgotten_here() -> None:
    changing = {route.operation for route in TABLE if route.method != "GET"}
    assert changing == {*OVER_HTTP, *ELSEWHERE}


def test_messages_tell_by_their_tags_whose_key_sent_them(office: Office) -> None:
    taken = send(office, "audited", to="+13125550990", text="Hi")
    tags = office.get(f"/v1/campaigns/{taken.json['campaign_id']}").json["tags"]
    assert tags == ["messages", f"key:{office.key.split('_')[2]}"]


Words = Callable[[str, str], tuple[str, ...]]
AT_THE_COMMAND_LINE: tuple[tuple[str, Words], ...] = (
    ("change", lambda campaign, _: ("campaigns", "set", campaign, "--rate", "3")),
    ("pause", lambda campaign, _: ("campaigns", "pause", campaign)),
    ("resume", lambda campaign, _: ("campaigns", "resume", campaign)),
    ("cancel", lambda campaign, _: ("campaigns", "cancel", campaign)),
    ("stop", lambda *_: ("stop", "--all", "--why", "a wrong text")),
    ("go_on", lambda *_: ("resume", "--all", "--yes")),
    ("key_revoke", lambda _, key: ("keys", "revoke", key)),
    ("opt_out", lambda *_: ("optouts", "import", "--profile", PROFILE, "-")),
    ("opt_in", lambda *_: ("optouts", "remove", "--yes", "--profile", PROFILE, "+13125550001")),
)
"""What the audit log calls it, and the words: of a campaign, of a key."""


@pytest.fixture
def before(office: Office) -> list[dict[str, Any]]:
    """What the log has of this person already."""
    return said(office, person())


def person() -> str:
    return f"cli:{getpass.getuser()}@{socket.gethostname()}"


def test_what_a_person_changes_at_the_command_line_is_in_the_audit_in_their_name(
    office: Office, before: list[dict[str, Any]]
) -> None:
    rows = {"profile": PROFILE, "text": "By hand", "recipients": PEOPLE}
    campaign = office.post("/v1/campaigns", rows).json["campaign_id"]
    key = str(office.world.json("keys", "create", "--name", "till", "--scope", "send")["id"])
    for _, words in AT_THE_COMMAND_LINE:
        done = office.world.run(*words(campaign, key), stdin="+13125550001\n")
        assert done.returncode == 0, done.stderr
    wanted = ["key_create", *(what for what, _ in AT_THE_COMMAND_LINE)]
    found = recorded(office, person(), [*(each["what"] for each in before), *wanted])[len(before) :]
    assert {each["campaign_id"] for each in found[1:5]} == {campaign}
    assert "13125550001" not in str(found), "no number stands in it"
