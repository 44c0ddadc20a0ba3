"""A campaign's own terms as people give them: with the push, and while it runs."""

import shlex
from decimal import Decimal
from pathlib import Path

from tests.flow.cli.conftest import World, wait_until
from tests.flow.cli.test_cli import people, push


def test_a_push_that_starts_later_says_what_it_waits_for_and_goes_when_the_start_is_lifted(
    town: World, profile: str
) -> None:
    pushed = push(town, profile, people(2000, 3), "--start", "2100-01-01T00:00:00Z", "--rate", "50")
    name = str(pushed["campaign_id"])
    shown = town.json("campaigns", "show", name)
    assert (shown["start"], shown["rate_cap"]) == ("2100-01-01T00:00:00.000+00:00", 50.0)
    assert shown["waits_for"] == "its start at 2100-01-01 00:00:00 UTC"
    changed = town.json("campaigns", "set", name, "--start", "none", "--rate", "80.5", "--priority", "urgent")
    assert (changed["start"], changed["rate_cap"], changed["priority"]) == (None, 80.5, "urgent")
    wait_until(lambda: town.json("campaigns", "show", name)["state"] == "finished")


def test_a_budget_stops_it_and_a_greater_one_lets_it_go_on(town: World, profile: str) -> None:
    dry = town.json("send", "-", "--profile", profile, "--text", "x", "--dry-run", stdin=people(2100, 10))
    price = Decimal(dry["estimated_cost"]["amount"]) / 10  # type: ignore[index]
    pushed = push(town, profile, people(2100, 10), "--budget", str(price * 4), "--pause-on-failures", "0.5")
    name = str(pushed["campaign_id"])
    wait_until(lambda: (town.json("campaigns", "show", name)["waits_for"] or "").startswith("more budget"))
    shown = town.json("campaigns", "show", name)
    assert shown["counts"]["ready"] >= 6  # type: ignore[index]
    assert (shown["state"], shown["pause_on_failures"]) == ("ready", 0.5)
    town.json("campaigns", "set", name, "--budget", "none", "--pause-on-failures", "none")
    wait_until(lambda: town.json("campaigns", "show", name)["state"] == "finished")


def test_terms_that_cannot_be_are_refused_in_one_line(town: World, profile: str) -> None:
    (town.folder / "list.csv").write_text(people(2010, 1))
    send = ("send", "list.csv", "--profile", profile, "--text", "x", "--yes")
    for words, said in (
        ((*send, "--rate", "fast"), "is no number"),
        ((*send, "--rate", "0"), "pause it"),
        ((*send, "--start", "2100-01-01T00:00:00"), "needs a time zone"),
        ((*send, "--start", "2100-01-02T00:00Z", "--expires", "2100-01-01T00:00Z"), "expires before it starts"),
        ((*send, "--budget", "0"), "more than 0"),
        ((*send, "--pause-on-failures", "5"), "0.05 for 5 %"),
        ((*send, "--quiet-hours", "night"), "21:00-08:00"),
        ((*send, "--expires", "2020-01-01T00:00Z"), "which is over"),
        (("campaigns", "set", "0" * 16, "--expires", "2020-01-01T00:00Z"), "to end it now, cancel it"),
        (("campaigns", "set", "0" * 16, "--rate", "1"), "no campaign"),
        (("campaigns", "set", "0" * 16), "nothing to change"),
    ):
        done = town.run(*words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), words
        assert said in done.stderr


def test_each_command_of_the_how_to_is_one(town: World, profile: str) -> None:
    """Run as they stand there, for a campaign that waits."""
    text = (Path(__file__).parents[3] / "docs/how-to/budgets-and-quiet-hours.md").read_text().replace("\\\n", " ")
    commands = [shlex.split(line) for block in text.split("```sh\n")[1:] for line in block.split("```")[0].splitlines()]
    (town.folder / "people.csv").write_text(people(2200, 3))
    waiting = push(town, profile, people(2210, 3), "--start", "2100-01-01T00:00:00Z", "--expires", "2100-02-01T00:00Z")
    for number, words in enumerate(commands):
        real = [{"ID": profile, "CAMPAIGN": str(waiting["campaign_id"])}.get(word, word) for word in words[1:]]
        done = town.run(*real, *(["--again"] if real[0] == "send" and number else []))
        assert done.returncode == 0, (words, done.stderr)
    assert len(commands) >= 10
