import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from volley.errors import RowError
from volley.text.parts import MAX_PARTS, Counted, GsmSet, NotEncodable, count, forcing_character, measure

# 3GPP TS 23.038, figure of section 6.2.1, column by column: code 0x00 first. Written apart from the code under test.
COLUMNS = (
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ\0ÆæßÉ",  # 0x1B, here NUL, is the escape
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
)
WIDTH = {char: 1 for column in COLUMNS for char in column if char != "\0"} | dict.fromkeys("\f^{}\\[~]|€", 2)
TELNYX_LACKS = "ÇΔΦΓΛΩΠΨΣΘΞ¤\f"


class Vector(NamedTuple):
    name: str
    text: str
    encoding: str
    units: int
    packed: int
    ceil: int


def vectors() -> list[Vector]:
    lines = (Path(__file__).parent / "vectors.tsv").read_text("utf-8").splitlines()
    return [vector(*line.split("\t")) for line in lines[1:]]


def vector(name: str, text: str, encoding: str, units: str, packed: str, ceil: str) -> Vector:
    pieces = re.findall(r'("(?:[^"\\]|\\.)*")(?:\*(\d+))?', text)
    whole = "".join(json.loads(piece) * int(times or 1) for piece, times in pieces)
    return Vector(name, whole, encoding, int(units), int(packed), int(ceil))


def slow_count(text: str, widths: dict[str, int] = WIDTH) -> Counted:
    """Character by character, a part at a time: what a phone would be sent."""
    if all(char in widths for char in text):
        return Counted("GSM-7", *slow_parts([widths[char] for char in text], 160, 153))
    return Counted("UCS-2", *slow_parts([2 if char > "\uffff" else 1 for char in text], 70, 67))


def slow_parts(widths: list[int], single: int, each: int) -> tuple[int, int]:
    if sum(widths) <= single:
        return sum(widths), 1 if widths else 0
    parts, room = 1, each
    for width in widths:
        if width > room:
            parts, room = parts + 1, each
        room -= width
    return sum(widths), parts


def runs(alphabet: str) -> st.SearchStrategy[str]:
    """Texts of long runs with odd characters between them, so that pairs meet the borders of parts."""
    run = st.builds(lambda char, times: char * times, st.sampled_from(alphabet), st.integers(1, 160))
    return st.lists(run, max_size=12).map("".join)


@pytest.mark.parametrize("one", vectors(), ids=lambda one: one.name)
def test_a_tricky_text_counts_as_the_table_says(one: Vector) -> None:
    assert count(one.text) == (one.encoding, one.units, one.packed)
    assert count(one.text, rule="ceil") == (one.encoding, one.units, one.ceil)
    assert slow_count(one.text) == (one.encoding, one.units, one.packed)


@settings(max_examples=400)
@given(runs("a@Ç[€\f") | runs("aж🎉[") | st.text(max_size=400) | st.text("".join(WIDTH), max_size=400))
@example("a" * 152 + "[" + "a" * 152)
def test_a_count_equals_the_slow_walk_over_every_character(text: str) -> None:
    try:
        counted = count(text)
    except NotEncodable:
        return
    assert counted == slow_count(text)


@settings(max_examples=200)
@given(runs("a[") | runs("ж🎉"))
def test_packing_never_counts_fewer_parts_than_dividing(text: str) -> None:
    packed, divided = count(text), count(text, rule="ceil")
    assert packed[:2] == divided[:2]
    assert packed.parts >= divided.parts


@pytest.mark.parametrize("parts", range(2, MAX_PARTS + 2))
@pytest.mark.parametrize(("plain", "pair", "each"), [("a", "[", 153), ("ж", "🎉", 67)])
def test_a_pair_is_never_split_over_any_border(plain: str, pair: str, each: int, parts: int) -> None:
    border = each * (parts - 1)
    whole = plain * (border - 2) + pair + plain * each
    cut = plain * (border - 1) + pair + plain * (each - 1)
    assert count(whole).parts == parts
    assert count(cut).parts == parts + 1
    assert count(cut, rule="ceil").parts == parts


@pytest.mark.parametrize("char", TELNYX_LACKS)
def test_telnyx_s_own_list_lacks_these_characters(char: str) -> None:
    assert count(char).encoding == "GSM-7"
    assert count(char, gsm_set="telnyx").encoding == "UCS-2"
    assert forcing_character(f"a{char}", "telnyx") == char


@settings(max_examples=100)
@given(runs("a[Ç\fé"))
def test_telnyx_s_own_list_counts_all_else_as_3gpp_does(text: str) -> None:
    narrow = {char: width for char, width in WIDTH.items() if char not in TELNYX_LACKS}
    assert count(text, gsm_set="telnyx") == slow_count(text, narrow)


@pytest.mark.parametrize("gsm_set", ["3gpp", "telnyx"])
@given(text=st.text(st.characters(codec="utf-8"), max_size=40))
def test_the_forcing_character_is_the_first_one_outside_the_alphabet(gsm_set: GsmSet, text: str) -> None:
    inside = set(WIDTH) - (set(TELNYX_LACKS) if gsm_set == "telnyx" else set())
    assert forcing_character(text, gsm_set) == next((char for char in text if char not in inside), None)


@pytest.mark.parametrize("text", ["\ud83d", "Hi \udc00!", "\ud83d" * 200, "\ude00\ud83d"])
def test_half_a_surrogate_pair_is_a_row_error_and_no_crash(text: str) -> None:
    for refused in (
        lambda: count(text),
        lambda: measure(text, encoding="ucs2"),
        lambda: measure(text, encoding="gsm7"),
    ):
        with pytest.raises(NotEncodable, match=r"U\+D[8-9A-F]\w\w") as error:
            refused()
        assert isinstance(error.value, RowError)


def test_ucs2_is_forced_on_a_text_that_would_be_gsm() -> None:
    assert measure("a" * 71, encoding="ucs2") == ("UCS-2", 71, 2)
    assert measure("it’s", encoding="ucs2", smart_encoding=True) == ("UCS-2", 4, 1)


def test_auto_replaces_only_where_the_profile_says_so() -> None:
    assert measure("it’s…") == ("UCS-2", 5, 1)
    assert measure("it’s…", smart_encoding=True) == ("GSM-7", 7, 1)


def test_gsm7_replaces_and_then_names_the_character_that_is_left() -> None:
    assert measure("it’s", encoding="gsm7") == ("GSM-7", 4, 1)
    with pytest.raises(NotEncodable, match=r"U\+0436 \(ж\)"):
        measure("it’s жук", encoding="gsm7")
    with pytest.raises(NotEncodable, match=r"U\+200D is"):
        measure("a\u200d", encoding="gsm7")
    with pytest.raises(NotEncodable):
        measure("Ç", encoding="gsm7", gsm_set="telnyx")


def test_a_replacement_may_be_longer_or_take_two_septets() -> None:
    assert measure("∣", smart_encoding=True) == ("GSM-7", 2, 1)
    assert measure("½" * 54, smart_encoding=True) == ("GSM-7", 162, 2)


def test_a_text_of_which_nothing_is_left_has_no_parts() -> None:
    assert measure("\u200b\ufeff", smart_encoding=True) == ("GSM-7", 0, 0)


@settings(max_examples=100)
@given(runs("a[’🎉"), st.sampled_from(["packed", "ceil"]))
def test_measuring_is_counting_when_nothing_is_asked_for(text: str, rule: str) -> None:
    assert measure(text, rule=rule) == count(text, rule=rule)
