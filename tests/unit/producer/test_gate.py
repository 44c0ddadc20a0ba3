"""Who may be written to, decided without a look at Redis: by country, by kind of number, and at no price where all may."""

import pytest

from producer.push.cast import Cast
from producer.push.gate import Split, reader
from producer.push.request import PushRequest
from volley.errors import RowError, UnusableInput
from volley.numbers import parse
from volley.profile import ProfileFacts
from volley.sender import Sender
from volley.text.parts import measure

US, GB, PR = "+13125550100", "+447400123456", "+17872345678"
REQUEST = PushRequest("p", text="Hi")
FREE = Sender("+13125550101", "long_code", "p")
HOME = Sender("+13125550102", "long_code", "p", reach="CA,US")
NAME = Sender("ACME", "alphanumeric", "p", reach="!CA,PR,US")


def cast(*senders: Sender, sender: str | None = None, **fields: object) -> Cast:
    return Cast(REQUEST, sender, senders, senders, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("found", [None, cast(FREE), cast(FREE, facts=ProfileFacts("p"))])
def test_where_all_are_served_alike_a_row_is_not_looked_at(found: Cast | None) -> None:
    assert reader(found) is parse


@pytest.mark.parametrize(
    ("found", "number", "says"),
    [
        (cast(FREE, facts=ProfileFacts("p", destinations=("US",))), GB, "does not allow GB"),
        (cast(FREE, facts=ProfileFacts("p", destinations=())), US, "does not allow US"),
        (cast(HOME), GB, "nobody in the pool may send to GB"),
        (cast(HOME, sender=HOME.number), GB, "the sender may not send to GB"),
        (cast(NAME, sender="ACME", refused=frozenset(("US", "PR"))), PR, "may not send to PR"),
        (cast(NAME, sender="ACME", refused=frozenset(("US",)), fallback=NAME), US, "no fallback number that may"),
        (cast(FREE, facts=ProfileFacts("p", mobile_only=True)), "+445600123456", "mobile numbers only"),
    ],
)
def test_a_number_that_is_not_reached_says_why(found: Cast, number: str, says: str) -> None:
    with pytest.raises(RowError, match=says) as caught:
        reader(found)(number, None)
    assert number[1:] not in str(caught.value)


@pytest.mark.parametrize(
    ("found", "number"),
    [
        (cast(HOME, FREE), GB),
        (cast(FREE, facts=ProfileFacts("p", destinations=("GB",))), GB),
        (cast(NAME, sender="ACME", refused=frozenset(("US",)), fallback=HOME), US),
        (cast(FREE, facts=ProfileFacts("p", mobile_only=True)), US),
    ],
)
def test_and_one_that_is_reached_is_read_as_ever(found: Cast, number: str) -> None:
    assert reader(found)(number, None) == reader(found)(number, None) == int(number)


def test_a_number_that_is_none_says_so_before_anything_else() -> None:
    with pytest.raises(RowError, match="letters"):
        reader(cast(HOME))("nobody", None)


def test_an_mms_is_one_part_however_long_and_a_text_in_its_place_is_counted_with_its_links() -> None:
    media = ("https://example.com/a.jpg",)
    split = Split(media, measure, by_text=True)
    assert split(int(US), "x" * 500) == ("x" * 500, "MMS", 1)
    assert split(int(GB), "x" * 140) == ("x" * 140 + "\n" + media[0], "GSM-7", 2)
    assert split(int(GB), "") == (media[0], "GSM-7", 1)
    for number, home in ((GB, "GB"), (PR, "PR")):
        with pytest.raises(RowError, match=f"not {home}"):
            Split(media, measure, by_text=False)(int(number), "Hi")


def test_a_nul_is_refused_wherever_it_stands() -> None:
    for fields in ({"text": "a\0"}, {"template": "{name}\0"}, {"text": "\0", "media": ("https://example.com/a",)}):
        with pytest.raises(UnusableInput, match="NUL"):
            PushRequest("p", **fields)  # type: ignore[arg-type]
