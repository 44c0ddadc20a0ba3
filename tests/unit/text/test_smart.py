import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.text.parts import count
from volley.text.smart import smart

RULES: dict[str, str] = {
    chr(int(name[2:], 16)): replacement
    for name, replacement in json.loads((files("volley.text") / "smart.json").read_text("utf-8"))["table"].items()
}


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("plain", "plain"),
        ("“Don’t” – she said…", '"Don\'t" - she said...'),
        ("‹a› «b» ‚c‛", '<a> "b" ,c\''),
        ("½ price‼", "1/2 price!!"),
        ("ＳＡＬＥ５０％", "SALE50%"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
        ("tab\there", "tab       here"),
        ("10\u00a0000\u202f€", "10 000 €"),
        ("a\u200b\ufeff\u2060b\u2028", "ab"),
        ("`´ʹ", "'''"),
        ("\u0000\u0003\u009f", ""),
        ("don’t 🎉 [ok]", "don't 🎉 [ok]"),
    ],
)
def test_look_alikes_become_gsm_characters(text: str, sent: str) -> None:
    assert smart(text) == sent


@pytest.mark.parametrize("kept", ["‑", "−", "\u200d", "\ufe0f", "á", "í", "ó", "ú", "ç", "©", "™", "°", "🎉", "ж"])
def test_what_the_carrier_leaves_alone_is_left_alone(kept: str) -> None:
    assert smart(f"a{kept}b") == f"a{kept}b"


def test_the_table_is_whole() -> None:
    assert len(RULES) == 310


@pytest.mark.parametrize("char", RULES, ids=lambda char: f"U+{ord(char):04X}")
def test_every_rule_is_applied_and_leaves_only_gsm(char: str) -> None:
    assert smart(f"a{char}b") == f"a{RULES[char]}b"
    assert count(smart(char)).encoding == "GSM-7"


@given(st.text())
def test_a_text_is_replaced_character_by_character_and_once_is_enough(text: str) -> None:
    once = smart(text)
    assert once == "".join(RULES.get(char, char) for char in text)
    assert smart(once) == once
