"""What a profile is to be is checked before the carrier is asked, and asked for in the carrier's own words."""

from typing import Any

import pytest

from producer.pool.profiles import Wishes, fields, wishes
from tests.openapi import validate_schema
from volley.carrier.edge import PoolSettings
from volley.errors import UnusableInput

ALL = Wishes(
    name="Shop",
    destinations=("us", "DE,FR", "US"),
    enabled=True,
    webhook_url="https://sms.example.com/webhooks/telnyx/default",
    webhook_failover_url="",
    sticky_sender=True,
    toll_free_weight=2.5,
    spend_limit="49.90",
    smart_encoding=True,
    mobile_only=False,
    mms_fall_back_to_sms=True,
    mms_transcoding=False,
    alpha_sender="ACME 24",
)


def test_all_wishes_in_the_carriers_words() -> None:
    wanted = fields(ALL, None)
    assert wanted == {
        "name": "Shop",
        "whitelisted_destinations": ["US", "DE", "FR"],
        "enabled": True,
        "webhook_url": "https://sms.example.com/webhooks/telnyx/default",
        "webhook_failover_url": "",
        "number_pool_settings": {
            "long_code_weight": 1.0,
            "toll_free_weight": 2.5,
            "skip_unhealthy": False,
            "sticky_sender": True,
            "geomatch": False,
        },
        "daily_spend_limit": "49.90",
        "daily_spend_limit_enabled": True,
        "smart_encoding": True,
        "mobile_only": False,
        "mms_fall_back_to_sms": True,
        "mms_transcoding": False,
        "alpha_sender": "ACME 24",
    }
    validate_schema("CreateMessagingProfileRequest", wanted)
    validate_schema("UpdateMessagingProfileRequest", wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {}),
        ({"enabled": False}, {"enabled": False}),
        ({"destinations": ("US", "*")}, {"whitelisted_destinations": ["*"]}),
        ({"pool": False}, {"number_pool_settings": None}),
        ({"spend_limited": False}, {"daily_spend_limit_enabled": False}),
        ({"spend_limited": True}, {"daily_spend_limit_enabled": True}),
        ({"alpha_sender": ""}, {"alpha_sender": None}),
        ({"webhook_url": ""}, {"webhook_url": ""}),
    ],
)
def test_only_what_is_given_is_asked_for(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert fields(Wishes(**given), PoolSettings()) == wanted
    validate_schema("UpdateMessagingProfileRequest", wanted)


def test_pool_settings_that_are_not_given_stay_as_they_are() -> None:
    held = PoolSettings(long_code_weight=3, toll_free_weight=7, skip_unhealthy=True, geomatch=True)
    wanted = fields(Wishes(sticky_sender=True, geomatch=False), held)
    assert wanted["number_pool_settings"] == {
        "long_code_weight": 3.0,
        "toll_free_weight": 7.0,
        "skip_unhealthy": True,
        "sticky_sender": True,
        "geomatch": False,
    }
    assert fields(Wishes(pool=True), held)["number_pool_settings"] == held.model_dump()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "  "}, "--name is empty"),
        ({"destinations": ("XX",)}, "'XX' is no region"),
        ({"destinations": ("Germany",)}, "is no region"),
        ({"destinations": ("",)}, "is no region"),
        ({"webhook_url": "sms.example.com"}, "--webhook-url is no address"),
        ({"webhook_url": "ftp://sms.example.com"}, "--webhook-url is no address"),
        ({"webhook_url": "https://sms.example.com/a b"}, "--webhook-url is no address"),
        ({"webhook_failover_url": "http://["}, "--failover-url is no address"),
        ({"webhook_url": "https://sms.example.com/" + "x" * 2000}, "2,000"),
        ({"alpha_sender": "TWELVE CHARS"}, "--alpha-sender"),
        ({"alpha_sender": "12345"}, "a letter"),
        ({"spend_limit": "-1"}, "no amount"),
        ({"spend_limit": "1e3"}, "no amount"),
        ({"spend_limit": "ten"}, "no amount"),
        ({"spend_limit": "10", "spend_limited": False}, "one of them"),
        ({"long_code_weight": -1.0}, "weights are 0 or more"),
        ({"long_code_weight": float("nan")}, "weights are 0 or more"),
        ({"long_code_weight": 0.0, "toll_free_weight": 0.0}, "--no-pool"),
        ({"pool": False, "sticky_sender": True}, "--no-pool, and sticky_sender"),
    ],
)
def test_what_cannot_be_says_which_option_and_how(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UnusableInput) as caught:
        fields(Wishes(**given), None)
    assert says in str(caught.value)


def test_wishes_are_picked_from_options() -> None:
    assert wishes({"name": "Shop", "destinations": None, "as_json": True, "profile_id": "p"}) == Wishes(name="Shop")
    assert wishes({"destinations": ["US"]}).destinations == ("US",)
