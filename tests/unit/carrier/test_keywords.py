"""STOP and START: a word is one where it is the whole message, or where the carrier says so."""

import pytest

from volley.carrier.keywords import is_start, keyword


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop",
        " Stop\n",
        "STOPALL",
        "Stop  All",
        "unsubscribe",
        "CANCEL",
        "End",
        "quit",
        "\u00a0STOP\t",
        "Stop.",
        "STOP!!",
        "“stop”",
        " stop . ",
        "(Stop all)",
    ],
)
def test_a_stop_word_alone_is_a_stop(text: str) -> None:
    assert keyword(text) == "stop"


@pytest.mark.parametrize("text", ["START", "start ", "UnStop"])
def test_a_start_word_alone_is_a_start(text: str) -> None:
    assert keyword(text) == "start"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "please stop",
        "STOP it",
        "nonstop",
        "the end",
        "stop. start",
        "restart",
        "YES",
        "start.",
        "...",
        "stop " * 300,
    ],
)
def test_a_word_in_a_sentence_is_none(text: str) -> None:
    assert keyword(text) == ""


@pytest.mark.parametrize(
    ("autoresponse", "expected"),
    [("STOP", "stop"), ("OPT_OUT", "stop"), ("opt-out", "stop"), ("START", "start"), ("OPT_IN", "start"), ("HELP", "")],
)
def test_the_carriers_word_counts_where_a_profile_has_words_of_its_own(autoresponse: str, expected: str) -> None:
    assert keyword("arrêt", autoresponse) == expected


@pytest.mark.parametrize(("text", "autoresponse"), [("STOP", "START"), ("START", "STOP")])
def test_in_doubt_it_is_a_stop(text: str, autoresponse: str) -> None:
    assert keyword(text, autoresponse) == "stop"


def test_the_carriers_list_tells_a_start_from_the_rest() -> None:
    assert [is_start(word) for word in ("START", "unstop", "STOP", "", "ARRET")] == [True, True, False, False, False]
