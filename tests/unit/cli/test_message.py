"""What `volley message` prints for people."""

import pytest

from producer.cli.records import tell

STORY = {"message_id": "m", "status": "ready", "sender_why": "named by the campaign", "history": []}


def test_what_a_message_waits_for_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    tell(STORY | {"waits": {"state": "ready", "why": "its campaign is paused", "ahead": 0}})
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[lines.index("waits") + 1 :][:3] == ["state ready", "why its campaign is paused", "ahead 0"]
    assert "sender_why named by the campaign" in lines


def test_a_message_that_is_over_says_nothing_of_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    tell(STORY | {"waits": None})
    assert "waits" not in capsys.readouterr().out
