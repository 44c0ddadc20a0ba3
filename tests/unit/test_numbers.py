import random

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneNumberType

from volley import numbers
from volley.errors import RowError, UnusableInput
from volley.numbers import NotSendable, area_code, country, e164, known_region, parse

TAKES_TEXTS = {
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.VOIP,
}
KINDS = ("MOBILE", "FIXED_LINE", "VOIP", "PERSONAL_NUMBER", "TOLL_FREE", "PREMIUM_RATE", "SHARED_COST", "PAGER", "UAN")


def by_the_book(raw: str, region: str | None) -> int | None:
    """What phonenumbers says on its long way, without our short cuts; None for refused."""
    try:
        number = phonenumbers.parse(raw, region)
    except NumberParseException:
        return None
    if number.extension or not phonenumbers.is_valid_number(number):
        return None
    if phonenumbers.number_type(number) not in TAKES_TEXTS:
        return None
    return int(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])


def ours(raw: str, region: str | None) -> int | None:
    try:
        return parse(raw, region)
    except NotSendable:
        return None


def examples() -> list[str]:
    """An E.164 number of each kind of each country, as libphonenumber's tables give them."""
    found = set()
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in KINDS:
            number = phonenumbers.example_number_for_type(region, getattr(PhoneNumberType, kind))
            if number is not None:
                found.add(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return sorted(found)


EXAMPLES = examples()


@pytest.mark.parametrize(
    ("raw", "region", "number"),
    [
        ("+14155550123", None, 14155550123),
        ("+1 (415) 555-0123", None, 14155550123),
        ("(415) 555-0123", "US", 14155550123),
        ("415.555.0123", "CA", 14155550123),
        ("1-415-555-0123", "US", 14155550123),
        ("011 46 70 174 06 05", "US", 46701740605),
        ("'+14155550123", None, 14155550123),
        (" \t+14155550123\n", None, 14155550123),
        ("＋１４１５５５５０１２３", None, 14155550123),
        ("٤١٥٥٥٥٠١٢٣", "US", 14155550123),
        ("0491 570 156", "AU", 61491570156),
        ("+61 (0)491 570 156", None, 61491570156),
        ("+1 1 415 555 0123", None, 14155550123),
        ("0152 28817386", "DE", 4915228817386),
    ],
)
def test_every_way_to_write_a_number_comes_to_the_same_digits(raw: str, region: str | None, number: int) -> None:
    assert parse(raw, region) == number


@pytest.mark.parametrize(
    ("raw", "region", "reason"),
    [
        ("", "US", "no number"),
        ("  ", "US", "no number"),
        ("n/a", "US", "letters in the number"),
        ("(212) 555-01O7", "US", "letters in the number"),
        ("1-800-FLOWERS", "US", "letters in the number"),
        ("1.41555E+10", "US", "letters in the number"),
        ("+1 415 555 0123 ext. 5", None, "letters in the number"),
        ("+14155550123,,5", None, "an extension, or two numbers"),
        ("4155550123;4155550124", "US", "an extension, or two numbers"),
        ("4155550123, 4155550124", "US", "not a phone number"),
        ("?", "US", "not a phone number"),
        ("4155550123", None, "no country code, and no region is set"),
        ("+999 1234 5678", "US", "no such country code"),
        ("555-0123", "US", "not a valid number"),
        ("41555501234", "US", "not a valid number"),
        ("9" * 40, "US", "too long"),
        ("9" * 400, "US", "too long"),
        ("+442079460123", None, "a landline"),
        ("+449098790123", None, "a premium-rate number"),
        ("+18005550199", None, "a toll-free number"),
        ("+19002345678", None, "a premium-rate number"),
        ("+4918012345", None, "a shared-cost number"),
        ("+447640123456", None, "a pager"),
        ("+445512345678", None, "a company number"),
    ],
)
def test_a_number_that_no_text_can_reach_is_refused_with_a_short_reason(
    raw: str, region: str | None, reason: str
) -> None:
    with pytest.raises(NotSendable) as refused:
        parse(raw, region)
    assert refused.value.reason == reason
    assert isinstance(refused.value, RowError)


@pytest.mark.parametrize("raw", EXAMPLES)
def test_each_kind_of_each_country_is_judged_as_phonenumbers_judges_it(raw: str) -> None:
    assert ours(raw, None) == by_the_book(raw, None)


@settings(max_examples=700)
@given(st.sampled_from(EXAMPLES), st.data())
def test_the_short_cut_for_international_numbers_never_differs_from_phonenumbers(raw: str, data: st.DataObject) -> None:
    tail = data.draw(st.integers(min_value=0, max_value=8))
    digits = data.draw(st.text("0123456789", min_size=max(0, tail - 1), max_size=tail + 1))
    changed = raw[: len(raw) - tail] + digits
    assert ours(changed, None) == by_the_book(changed, None)


@settings(max_examples=700)
@given(st.sampled_from(EXAMPLES), st.sampled_from(["0", "1", "8", "06", "01", "00", "15", "0151"]))
@example("+14155550123", "1")
def test_a_trunk_prefix_behind_the_country_code_is_dropped_where_phonenumbers_drops_it(raw: str, trunk: str) -> None:
    at = 1 + len(str(code_of(raw)))
    written = raw[:at] + trunk + raw[at:]
    assert ours(written, None) == by_the_book(written, None)


@settings(max_examples=700)
@given(
    st.text("0123456789 ().-", max_size=18) | st.from_regex(r"\(?[0-9]{3}\)? ?[0-9]{3}[-. ]?[0-9]{4}", fullmatch=True),
    st.sampled_from(["", "+", "(", " +", "+1", "+1 (", "+44", "1"]),
    st.sampled_from([None, "US", "CA", "GB", "AU", "BS"]),
)
@example("062810000000", "+", None)
@example("044 7911 123456", "+", "GB")
def test_punctuation_never_changes_what_phonenumbers_reads(rest: str, start: str, region: str | None) -> None:
    assert ours(start + rest, region) == by_the_book(start + rest, region)


@settings(max_examples=300)
@given(st.text(max_size=30), st.sampled_from([None, "US", "ZZ"]))
def test_no_cell_can_break_the_parser_and_no_reason_repeats_it(raw: str, region: str | None) -> None:
    assert not any(char.isdigit() for char in refusal(raw, region))


def refusal(raw: str, region: str | None) -> str:
    try:
        parse(raw, region)
    except NotSendable as refused:
        return refused.reason
    return ""


def sendable_numbers(code: int, seed: int) -> list[int]:
    """Random numbers of one calling code that a text can reach: the examples with their tails changed."""
    chance, own = random.Random(seed), [raw for raw in EXAMPLES if by_the_book(raw, None) and code_of(raw) == code]
    found = []
    for raw in own * 40:
        tail = chance.randint(1, 7)
        number = by_the_book(raw[:-tail] + "".join(chance.choices("0123456789", k=tail)), None)
        if number is not None:
            found.append(number)
    return found


def code_of(raw: str) -> int:
    return phonenumbers.parse(raw, None).country_code or 0


@pytest.mark.parametrize("code", [code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if len(regions) > 1])
def test_the_country_of_a_shared_code_never_differs_from_phonenumbers(code: int) -> None:
    sample = sendable_numbers(code, seed=code)
    assert sample
    for number in sample:
        assert country(number) == phonenumbers.region_code_for_number(phonenumbers.parse(e164(number), None))


def test_one_area_code_is_one_country_all_over_north_america() -> None:
    chance = random.Random(7)
    for area in range(200, 1000):
        for _ in range(12):
            raw = f"+1{area}{chance.randint(200, 999)}{chance.randint(0, 9999):04d}"
            number = by_the_book(raw, None)
            if number is not None:
                assert country(number) == phonenumbers.region_code_for_number(phonenumbers.parse(raw, None))


@pytest.mark.parametrize(
    ("number", "region"),
    [
        (14155550123, "US"),
        (14165550101, "CA"),
        (18765550123, "JM"),
        (447781123456, "GG"),
        (4915228817386, "DE"),
        (46701740605, "SE"),
        (77012345678, "KZ"),
        (883510012345678, ""),
        (99912345678, ""),
        (12345, ""),
        (1, ""),
    ],
)
def test_a_number_tells_its_country(number: int, region: str) -> None:
    assert country(number) == region


def test_a_number_of_no_country_does_not_spoil_the_answer_for_its_neighbours() -> None:
    numbers._countries.clear()
    assert country(1613_111_0123) == ""
    assert country(1613_555_0123) == "CA"


def test_area_codes_are_north_american() -> None:
    assert area_code(14155550123) == "415"
    assert area_code(447781123456) is None
    assert area_code(46701740605) is None


def test_a_region_is_two_letters_of_iso_3166() -> None:
    assert known_region(" us ") == "US"
    with pytest.raises(UnusableInput, match="'UK' is no region"):
        known_region("UK")
