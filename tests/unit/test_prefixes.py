"""Leading digits tell a country as whole numbers do."""

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumber, PhoneNumberType

from volley.numbers import country
from volley.prefixes import Prefixes, by_prefix, countries, first_prefix, prefixes

KINDS = (
    PhoneNumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.VOIP,
)
SHARED = [code for code, regions in COUNTRY_CODE_TO_REGION_CODE.items() if len(regions) > 1]
OF = Prefixes(by_prefix(lambda name: name, ""), "")


def examples() -> Iterator[int]:
    for region in sorted(countries()):
        for kind in KINDS:
            found = phonenumbers.example_number_for_type(region, kind)
            if found is not None and phonenumbers.number_type(found) in KINDS:
                yield int(f"{found.country_code}{phonenumbers.national_significant_number(found)}")


def test_the_longest_prefix_of_each_example_number_is_its_countrys() -> None:
    numbers = list(examples())
    assert len(numbers) > 300
    assert {n: OF.find(str(n)) for n in numbers} == {n: country(n) for n in numbers}
    assert all(any(str(n).startswith(prefix) for prefix in prefixes(country(n))) for n in numbers)


@pytest.mark.parametrize("code", SHARED)
def test_countries_that_share_a_calling_code_are_told_apart(code: int) -> None:
    chance = random.Random(code)
    regions = COUNTRY_CODE_TO_REGION_CODE[code]
    made = [phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE) for region in regions]
    digits = [len(str(number.national_number)) for number in made if number is not None]
    tried = 0
    for _ in range(4000):
        length = chance.choice(digits)
        number = PhoneNumber(country_code=code, national_number=chance.randrange(10 ** (length - 1), 10**length))
        if phonenumbers.number_type(number) in KINDS:
            tried += 1
            e164 = f"{code}{number.national_number}"
            assert OF.find(e164) == country(int(e164)), e164
    assert tried


def test_a_table_has_no_line_that_says_what_a_shorter_one_says() -> None:
    assert by_prefix(lambda name: 1, 1) == {}
    assert by_prefix(lambda name: name in ("RU", "KZ"), False) == {"7": True}
    assert by_prefix(lambda name: name == "KZ", False) == {"77": True}
    assert by_prefix(lambda name: name == "RU", False) == {"7": True, "77": False}


def test_what_is_no_country_has_no_prefix() -> None:
    assert prefixes("XX") == prefixes("001") == prefixes("") == ()
    assert prefixes("DE") == ("49",)
    assert prefixes("JM") == ("1658", "1876")


def test_the_first_prefix_of_every_country_is_the_shortest_of_all_that_it_has() -> None:
    assert {name: first_prefix(name) for name in countries()} == {
        name: next(iter(prefixes(name)), "") for name in countries()
    }
    assert first_prefix("XX") == first_prefix("001") == first_prefix("") == ""
