"""Plain output is text in columns that other tools can read; JSON is one object on one line."""

import json

import pytest

from producer.cli.output import Progress, emit, facts, span, table


def test_columns_line_up_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "parts", "rate"), [("Ann", 7, "0.1/s"), ("Bo", 12345, "20/s"), ("+12125550100", None, "-")])
    assert capsys.readouterr().out.splitlines() == [
        "name          parts  rate",
        "Ann               7  0.1/s",
        "Bo            12345  20/s",
        "+12125550100         -",
    ]


def test_a_table_without_rows_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "parts"), [])
    assert capsys.readouterr().out == "name  parts\n"


def test_facts_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    facts([("campaign", "abc"), ("to", "")], title="one")
    assert capsys.readouterr().out == "\none\ncampaign  abc\nto\n"


def test_json_is_one_line(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    emit({"text": "a\nb", "amount": "0.0051"})
    out = capsysbinary.readouterr().out
    assert out.count(b"\n") == 1
    assert json.loads(out) == {"text": "a\nb", "amount": "0.0051"}


def test_progress_is_silent_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.show("half")
    progress.clear()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (750, "12m 30s"),
        (3600, "1h 00m"),
        (93_784, "26h 03m"),
        (100_274_898, "1160d 14h"),
    ],
)
def test_time_is_told_as_people_say_it(seconds: float | None, said: str) -> None:
    assert span(seconds) == said
