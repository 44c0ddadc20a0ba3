"""References: ours are read back, and nobody else can make one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.carrier.reference import read, reference_in, secrets_of, sign, webhook_url
from volley.errors import UnusableInput
from volley.message import MessageId

OLD, NEW = secrets_of("the old secret of this house, the new secret of this house")
ID = MessageId("0123456789abcdef", 12, 499)


@given(
    st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=16, max_size=16), st.integers(0, 10**9), st.integers(0, 499)
)
def test_a_reference_is_read_back_as_its_message(campaign: str, chunk: int, offset: int) -> None:
    message = MessageId(campaign, chunk, offset)
    assert read(sign(str(message), OLD), [OLD]) == message


@given(st.integers(0, len(sign(str(ID), OLD)) - 1), st.sampled_from("0123456789abcdef-.xyzß"))
def test_a_reference_with_one_changed_character_is_nobodys(place: int, character: str) -> None:
    whole = sign(str(ID), OLD)
    changed = whole[:place] + character + whole[place + 1 :]
    assert read(changed, [OLD]) == (ID if changed == whole else None)


@pytest.mark.parametrize("reference", ["", ".", "x", str(ID), f"{ID}.", f".{'0' * 24}", f"{ID}.{'0' * 24}", "é.é"])
def test_what_we_did_not_make_is_nobodys(reference: str) -> None:
    assert read(reference, [OLD, NEW]) is None


def test_a_true_mac_over_something_else_names_no_message() -> None:
    assert read(sign("not-a-message", OLD), [OLD]) is None


def test_while_secrets_change_both_verify_and_afterwards_the_old_one_does_not() -> None:
    assert read(sign(str(ID), OLD), [NEW, OLD]) == ID
    assert read(sign(str(ID), NEW), [NEW, OLD]) == ID
    assert read(sign(str(ID), OLD), [NEW]) is None


def test_the_first_secret_signs() -> None:
    assert secrets_of("x" * 16 + " , " + "y" * 17) == [secrets_of("x" * 16)[0], secrets_of("y" * 17)[0]]


@pytest.mark.parametrize("setting", ["", " , ", "short", "x" * 16 + ",short", ",".join(["x" * 16] * 3)])
def test_a_secret_that_protects_nothing_is_refused_and_not_shown(setting: str) -> None:
    with pytest.raises(UnusableInput, match="VOLLEY_SECRET") as caught:
        secrets_of(setting)
    assert "xxxx" not in str(caught.value)
    assert ",short" not in str(caught.value)


def test_a_webhook_url_gives_its_reference_back() -> None:
    reference = sign(str(ID), OLD)
    url = webhook_url("https://sms.example.org", "default", reference)
    assert url == f"https://sms.example.org/webhooks/telnyx/default?ref={reference}"
    assert reference_in(url) == reference


@pytest.mark.parametrize("url", ["", "https://x/", "https://x/?a=b", "http://[", "?ref="])
def test_a_url_without_a_reference_gives_none(url: str) -> None:
    assert reference_in(url) == ""
