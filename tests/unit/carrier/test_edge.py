"""Profiles and numbers as the carrier gives them, and what they are to us."""

from typing import Any

import pytest

from volley.carrier.edge import AlphanumericId, Number, Profile, ShortCode
from volley.sender import Sender

POOL = {"long_code_weight": 2, "toll_free_weight": 10, "skip_unhealthy": True, "sticky_sender": True, "geomatch": False}
SMS = {"domestic_two_way": True, "international_inbound": True, "international_outbound": True}
GOOD = {"message_count": 122, "inbound_outbound_ratio": 0.43, "success_ratio": 0.94, "spam_ratio": 0.06}


def profile(**fields: Any) -> Profile:
    return Profile.model_validate({"id": "p", "number_pool_settings": POOL} | fields)


def number(**fields: Any) -> Number:
    return Number.model_validate({"phone_number": "+13125550001", "type": "longcode", "country_code": "US"} | fields)


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [("long-code", "long_code"), ("longcode", "long_code"), ("tollfree", "toll_free"), ("shortcode", "short_code")],
)
def test_every_spelling_of_a_type_is_understood(spelling: str, kind: str) -> None:
    sender = number(type=spelling, features={"sms": SMS, "mms": None}, health=GOOD).sender(profile())
    assert (sender.type, sender.active, sender.profile, sender.country) == (kind, True, "p", "US")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "fax"}, "unknown type 'fax'"),
        ({"features": {"sms": None, "mms": None}}, "not enabled for SMS"),
        ({"health": GOOD | {"success_ratio": 0.24}}, "unhealthy"),
        ({"health": GOOD | {"spam_ratio": 0.76}}, "unhealthy"),
    ],
)
def test_a_number_that_cannot_send_is_out_of_the_pool_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    sender = number(**fields).sender(profile())
    assert (sender.active, sender.reason) == (False, reason)


@pytest.mark.parametrize(
    ("health", "pool"),
    [
        (GOOD | {"success_ratio": 0.25, "spam_ratio": 0.75}, POOL),
        (GOOD | {"success_ratio": 0.0, "message_count": 0}, POOL),
        (GOOD | {"success_ratio": 0.0}, POOL | {"skip_unhealthy": False}),
        (GOOD | {"success_ratio": 0.0}, None),
        (None, POOL),
    ],
)
def test_health_counts_only_beyond_its_bounds_and_where_the_profile_asks(health: Any, pool: Any) -> None:
    assert number(health=health).sender(profile(number_pool_settings=pool)).active


def test_short_codes_and_alphanumeric_ids_are_senders() -> None:
    assert ShortCode(short_code="12345", country_code="US").sender(profile()) == Sender(
        "12345", "short_code", "p", "US"
    )
    assert AlphanumericId(alphanumeric_sender_id="ACME").sender(profile()) == Sender("ACME", "alphanumeric", "p")


@pytest.mark.parametrize("off", [None, {}, "absent"])
def test_a_pool_that_is_off_has_no_weights(off: Any) -> None:
    fields: dict[str, Any] = {"id": "p"} if off == "absent" else {"id": "p", "number_pool_settings": off}
    assert Profile.model_validate(fields).weights is None


@pytest.mark.parametrize(("long", "free", "ratio"), [(2, 10, 5), (0.5, 2.5, 5), (1, 0.1, 0.1), (1, 0, 0)])
def test_weights_are_integers_in_the_same_ratio(long: float, free: float, ratio: float) -> None:
    weights = profile(number_pool_settings=POOL | {"long_code_weight": long, "toll_free_weight": free}).weights
    assert weights is not None
    assert weights["toll_free"] == pytest.approx(weights["long_code"] * ratio)
    assert weights["long_code"] > 0


def test_a_profile_allows_its_destinations() -> None:
    assert profile(whitelisted_destinations=["*"]).allows("DE")
    assert profile(whitelisted_destinations=["US", "DE"]).allows("DE")
    assert not profile(whitelisted_destinations=["US"]).allows("DE")
    assert not profile().allows("US")
