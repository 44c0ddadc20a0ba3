"""What people text us, through a real carrier's webhooks: opt-outs, answers, the stream that hands texts on, the commands."""

import json
import subprocess

from tests.flow.cli.conftest import wait_until
from tests.flow.webhooks.conftest import QUIET_PROFILE, House
from volley.sandbox.config import PROFILE_ID


def push(house: House, *people: str) -> dict[str, object]:
    rows = "".join(f"{person},order-{person[-4:]}\n" for person in people)
    done = house.world.run(
        *("send", "-", "--profile", PROFILE_ID, "--text", "Is your order right?", "--yes", "--json"),
        stdin=f"to,reference\n{rows}",
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def send(house: House, *people: str) -> str:
    return str(push(house, *people)["campaign_id"])


def statuses(house: House, campaign: str) -> list[str]:
    done = house.world.run("export", campaign)
    return [json.loads(line)["status"] for line in done.stdout.splitlines()]


def inbound(house: House, *options: str) -> list[dict[str, object]]:
    return list(house.world.json("inbound", "list", *options)["inbound"])  # type: ignore[call-overload]


def test_a_stop_and_a_start_change_who_is_written_to(house: House) -> None:
    person, number = "+12025550101", house.numbers()[0]
    house.says(" stop\n", person, number)
    wait_until(lambda: house.opted_out() == [person])
    pushed = push(house, person, "+12025550102")
    assert (pushed["accepted"], pushed["opted_out"]) == (1, 1)
    house.world.run("campaigns", "cancel", str(pushed["campaign_id"]))
    house.says("START", person, number)
    wait_until(lambda: house.opted_out() == [])
    assert (house.count("opted_out"), house.count("opted_in")) == (1, 1)


def test_whoever_says_stop_while_their_message_waits_does_not_get_it(house: House) -> None:
    person, number = "+12025550111", house.numbers()[0]
    campaign = send(house, person)
    house.says("UNSUBSCRIBE", person, number)
    wait_until(lambda: person in house.opted_out())
    worker = house.world.start("worker")
    wait_until(lambda: statuses(house, campaign) == ["opted_out"])
    worker.terminate()
    assert worker.wait(30) == 0


def test_an_answer_is_stored_shown_and_handed_on(house: House) -> None:
    person = "+12025550121"
    campaign = send(house, person)
    worker = house.world.start("worker")
    wait_until(lambda: statuses(house, campaign)[0] in ("submitted", "delivered"))
    [line] = house.world.run("export", campaign).stdout.splitlines()
    message = json.loads(line)
    house.says("It is not!", person, message["from"], media=["https://media.example.org/box.jpg"])
    wait_until(lambda: inbound(house, "--campaign", campaign))
    worker.terminate()
    [text] = inbound(house, "--campaign", campaign)
    assert (text["from"], text["to"], text["text"]) == (person, message["from"], "It is not!")
    assert text["media"] == ["https://media.example.org/box.jpg"]
    assert (text["message_id"], text["reference"]) == (message["message_id"], "order-0121")
    assert text in inbound(house, "--profile", PROFILE_ID, "--since", "2020-01-01")
    followed = house.world.run("inbound", "follow", "--from-start", "--json", "--count", str(len(inbound(house))))
    assert text in [json.loads(line) for line in followed.stdout.splitlines()]
    story = house.world.json("message", message["message_id"])
    assert "It is not!" in [each.get("text") for each in story["history"]]  # type: ignore[attr-defined]
    assert worker.wait(30) == 0


def test_follow_shows_what_comes_from_now_on(house: House) -> None:
    follow = house.world.start("inbound", "follow", "--json", "--count", "1")
    number = house.numbers()[0]

    def told() -> bool:
        house.says("anybody there?", "+12025550131", number)
        return follow.poll() is not None

    wait_until(told)
    assert follow.returncode == 0
    [line] = house.world.log("inbound").splitlines()
    assert json.loads(line)["from"] == "+12025550131"


def test_texts_are_not_logged(house: House) -> None:
    house.says("a private word", "+12025550139", house.numbers()[0])
    wait_until(lambda: "a private word" in [each["text"] for each in inbound(house)])
    log = house.world.log("serve")
    assert "a private word" not in log
    assert "2025550139" not in log


def test_the_carriers_list_is_put_over_ours_and_takes_nobody_off(house: House) -> None:
    number = house.numbers(QUIET_PROFILE)[0]
    for last in range(3):
        house.says("STOP", f"+1202555014{last}", number)
    house.world.run("optouts", "import", "-", "--profile", QUIET_PROFILE, stdin="+12025550149\n")
    first, second = (house.world.json("optouts", "sync", "--profile", QUIET_PROFILE)["profiles"] for _ in range(2))
    said = {"profile": QUIET_PROFILE, "people": 3, "started": 0, "unreadable": 0}
    assert first == [said | {"added": 3, "already": 0}]
    assert second == [said | {"added": 0, "already": 3}]
    assert sorted(house.opted_out(QUIET_PROFILE)) == [f"+1202555014{last}" for last in (0, 1, 2, 9)]
    every = house.world.json("optouts", "sync", "--all")["profiles"]
    assert {each["profile"] for each in every} == {PROFILE_ID, QUIET_PROFILE}  # type: ignore[attr-defined]


def removed(house: House, *options: str) -> subprocess.CompletedProcess[str]:
    return house.world.run("optouts", "remove", "+12025550140", "--profile", QUIET_PROFILE, "--json", *options)


def test_a_person_is_taken_off_by_hand_only_with_yes_and_a_warning(house: House) -> None:
    house.says("STOP", "+12025550140", house.numbers(QUIET_PROFILE)[0])
    house.world.run("optouts", "import", "-", "--profile", QUIET_PROFILE, stdin="+12025550140\n")
    asked = removed(house)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "--yes" in asked.stderr
    done = removed(house, "--yes")
    assert json.loads(done.stdout) == {"profile": QUIET_PROFILE, "removed": 1}
    assert "until the person texts START" in done.stderr
    assert "+12025550140" not in house.opted_out(QUIET_PROFILE)


def test_a_list_that_is_not_named_and_a_profile_that_nobody_knows_are_2(house: House) -> None:
    for words in (["sync"], ["sync", "--all", "--profile", PROFILE_ID], ["sync", "--profile", "nobody's"]):
        done = house.world.run("optouts", *words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
