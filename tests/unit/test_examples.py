"""The example list is what the README and the demo promise: lifelike, the same every time, and no real person's number in it."""

import csv
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from volley.errors import RowError
from volley.numbers import NotSendable, country, e164, parse
from volley.prices import Prices
from volley.text.parts import MAX_PARTS, Counted, measure
from volley.text.template import compile_template

EXAMPLES = Path(__file__).parents[2] / "examples"
FICTION = re.compile(
    r"1\d{3}55501\d\d"  # NANPA: 555-0100 to 555-0199 of every area code
    r"|6149157(0(006|1(5[6-9]|10)|313|737)|1(266|491|804)|2(549|665|983)|3(770|087)|4(118|632)"  # ACMA
    r"|5(254|789)|6(398|801)|7(426|644)|8(957|148|888)|9(212|760|455))"
    r"|4917139200\d\d|49176040690\d\d"  # Bundesnetzagentur
    r"|46701740(60[5-9]|6[1-9]\d)"  # PTS
)
NOBODYS = re.compile(
    r"(\d{3})?55501\d\d"  # NANPA, in national form, without area code, or behind a country code that no country has
    r"|442079460\d{3}|449098790\d{3}|448081570\d{3}|447700900\d{3}"  # Ofcom: London, premium, freephone, mobile
    r"|1?8005550199"  # NANPA: the only toll-free one
    r"|21255501\d\d\d{1,3}|(12125550\d{3}){2}|212555017|12025610"  # digits too many, twice, or lost
)


def rows() -> list[dict[str, str]]:
    with (EXAMPLES / "recipients.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = rows()
TEMPLATE = compile_template((EXAMPLES / "template.txt").read_text("utf-8").rstrip("\n"))


def judge(row: dict[str, str]) -> tuple[int, Counted]:
    counted = measure(TEMPLATE.render(row))
    if counted.parts > MAX_PARTS:
        raise RowError("too long")
    return parse(row["to"], "US"), counted


def judged() -> tuple[dict[int, Counted], list[int], list[dict[str, str]]]:
    good: dict[int, Counted] = {}
    again, bad = [], []
    for row in ROWS:
        try:
            number, counted = judge(row)
        except RowError:
            bad.append(row)
            continue
        if number in good:
            again.append(number)
        good.setdefault(number, counted)
    return good, again, bad


GOOD, AGAIN, BAD = judged()


def test_the_list_comes_out_the_same_every_time(tmp_path: Path) -> None:
    made = tmp_path / "recipients.csv"
    subprocess.run([sys.executable, str(EXAMPLES / "make_recipients.py"), str(made)], check=True)
    assert made.read_bytes() == (EXAMPLES / "recipients.csv").read_bytes()


def test_it_has_5000_rows_with_two_in_a_hundred_twice_and_two_in_a_hundred_bad() -> None:
    assert (len(ROWS), len(AGAIN), len(BAD)) == (5000, 100, 100)


def test_every_number_that_could_be_sent_to_is_kept_for_fiction() -> None:
    assert [number for number in GOOD if not FICTION.fullmatch(str(number))] == []


def test_a_bad_row_names_no_real_number_either() -> None:
    for row in BAD:
        digits = re.sub(r"\D", "", row["to"])
        assert not digits or FICTION.fullmatch(digits) or NOBODYS.fullmatch(digits), row["to"]


@pytest.mark.parametrize(
    "reason",
    [
        "no number",
        "letters in the number",
        "not a phone number",
        "not a valid number",
        "no such country code",
        "a landline",
        "a premium-rate number",
        "a toll-free number",
    ],
)
def test_each_kind_of_bad_number_is_in_it(reason: str) -> None:
    def refusal(row: dict[str, str]) -> str:
        try:
            parse(row["to"], "US")
        except NotSendable as refused:
            return refused.reason
        return ""

    assert reason in map(refusal, BAD)


def test_numbers_are_written_in_national_and_in_international_form() -> None:
    plus = sum(row["to"].startswith("+") for row in ROWS)
    assert 0.3 < plus / len(ROWS) < 0.7


def test_its_texts_come_to_one_to_four_parts_and_most_of_them_are_gsm() -> None:
    assert {counted.parts for counted in GOOD.values()} == {1, 2, 3, 4}
    encodings = Counter(counted.encoding for counted in GOOD.values())
    assert 0.85 < encodings["GSM-7"] / len(GOOD) < 0.95


def test_nine_in_ten_have_a_price_and_some_have_none() -> None:
    prices = Prices.load()
    priced = sum(prices.per_part(country(number), "long_code") is not None for number in GOOD)
    assert 0.9 < priced / len(GOOD) < 1


@pytest.mark.parametrize(
    "script",
    [
        "LATIN",
        "GREEK",
        "CYRILLIC",
        "ARMENIAN",
        "GEORGIAN",
        "ARABIC",
        "HEBREW",
        "DEVANAGARI",
        "TAMIL",
        "THAI",
        "CJK",
        "HANGUL",
    ],
)
def test_its_names_are_written_in_many_scripts(script: str) -> None:
    letters = {char for row in ROWS for char in row["first_name"] + row["last_name"]}
    assert any(unicodedata.name(char, "").startswith(script) for char in letters)


def test_a_duplicate_is_the_same_number_and_not_always_the_same_spelling() -> None:
    again = {e164(number) for number in AGAIN}
    spellings = {(row["to"], e164(parse(row["to"], "US"))) for row in ROWS if row not in BAD}
    different = Counter(number for _, number in spellings if number in again)
    assert sum(count > 1 for count in different.values()) > 50
