"""Reaches are sets of countries: what is made of two of them reaches where both, or one of them, reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.carrier.reach import all_but, both, either, only, words
from volley.sender import Sender

COUNTRIES = ("US", "CA", "GB", "DE")
SETS = st.sets(st.sampled_from(COUNTRIES[:3]))
REACHES = st.builds(only, SETS) | st.builds(all_but, SETS) | st.just("*")


def reaches(reach: str, country: str) -> bool:
    return Sender("x", "long_code", "p", reach=reach).reaches(country)


@given(REACHES, REACHES, st.sampled_from(COUNTRIES))
def test_both_and_either_are_what_senders_read(one: str, other: str, country: str) -> None:
    assert reaches(both(one, other), country) == (reaches(one, country) and reaches(other, country))
    assert reaches(either(one, other), country) == (reaches(one, country) or reaches(other, country))


@given(REACHES, REACHES)
def test_the_same_countries_are_written_the_same_way(one: str, other: str) -> None:
    assert both(one, other) == both(other, one)
    assert either(both(one, other), one) == one


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        ("*", "everywhere"),
        ("", "nowhere"),
        ("CA,US", "CA, US"),
        ("!US", "everywhere but US"),
        (only(["us", "*"]), "everywhere"),
    ],
)
def test_people_read_it_in_words(reach: str, said: str) -> None:
    assert words(reach) == said
