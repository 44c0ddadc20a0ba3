"""Every cause that keeps a number from sending is found, said, and has something to do about it."""

import csv
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volley.carrier.causes import causes
from volley.carrier.edge import AlphanumericId, Number, Profile, ShortCode
from volley.carrier.readiness import Readiness, Rules, absent, judge
from volley.carrier.registrations import Assignment, Registrations, Verified
from volley.sender import Sender

LONG, FREE, BRITISH = "+13125550101", "+18005550101", "+447400123456"
WAYS = {"domestic_two_way": True, "international_inbound": True, "international_outbound": True}
HOME = WAYS | {"international_outbound": False}
POOL = {"long_code_weight": 1, "toll_free_weight": 1, "skip_unhealthy": True}
GOOD = {"message_count": 100, "inbound_outbound_ratio": 0.4, "success_ratio": 0.94, "spam_ratio": 0.06}
KNOWN = Registrations({LONG: Assignment(("C1", "TCR1"))}, {FREE: Verified("verified")})


def profile(**fields: Any) -> Profile:
    usual = {"id": "p", "whitelisted_destinations": ["*"], "webhook_url": "https://x.example/h"}
    return Profile.model_validate(usual | {"number_pool_settings": POOL} | fields)


def number(**fields: Any) -> Number:
    usual = {"phone_number": LONG, "type": "long-code", "country_code": "US", "messaging_profile_id": "p"}
    features = {"sms": WAYS, "mms": WAYS}
    product = {"messaging_product": "A2P", "eligible_messaging_products": ["A2P"], "traffic_type": "A2P"}
    return Number.model_validate(usual | {"features": features, "health": GOOD} | product | fields)


def toll_free(**fields: Any) -> Number:
    return number(**({"phone_number": FREE, "type": "tollfree"} | fields))


def british(**fields: Any) -> Number:
    return number(**({"phone_number": BRITISH, "country_code": "GB"} | fields))


def alpha(name: str = "ACME", **fields: Any) -> AlphanumericId:
    return AlphanumericId.model_validate({"alphanumeric_sender_id": name, "messaging_profile_id": "p"} | fields)


def code(**fields: Any) -> ShortCode:
    return ShortCode.model_validate({"short_code": "12345", "country_code": "US", "messaging_profile_id": "p"} | fields)


def assigned(status: str) -> Registrations:
    return Registrations({LONG: Assignment(("C1",), status, "brand is not vetted")}, {FREE: Verified("verified")})


def verified(status: str) -> Registrations:
    return Registrations({}, {FREE: Verified(status, "no opt-in shown")})


def judged(row: Any, held: Profile | None, registrations: Registrations = KNOWN, **kept: Any) -> Readiness:
    asked = kept.pop("asked", "")
    return judge(row, held, registrations, Rules(**kept), asked=asked)


NONE = Registrations({}, {})
SICK = GOOD | {"success_ratio": 0.2}
CASES: dict[str, tuple[Any, ...]] = {
    # cause, what is judged, whether it blocks, where it may send then, a word of what to do
    "no messaging": ("no_sms", judged(number(features={"sms": None}), profile()), True, "", "portal"),
    "no type yet": ("provisioning", judged(number(type=None), profile()), True, "", "wait"),
    "an odd type": ("unknown_type", judged(number(type="fax"), profile()), True, "", "update Volley"),
    "no way out": (
        "no_outbound",
        judged(british(features={"sms": HOME | {"domestic_two_way": False}}), profile()),
        True,
        "",
        "outbound messaging",
    ),
    "in no list": ("not_found", absent("+13125550199"), True, "", "API key"),
    "no such short code": ("short_code_unprovisioned", absent("12345"), True, "", "provisioned"),
    "no such sender ID": ("alphanumeric_unregistered", absent("ACME"), True, "", "register it"),
    "no profile": ("no_profile", judged(number(messaging_profile_id=None), None), True, "", "numbers assign"),
    "a sender ID of no profile": (
        "alphanumeric_unregistered",
        judged(alpha(messaging_profile_id=None), None),
        True,
        "",
        "register it",
    ),
    "another profile": ("other_profile", judged(number(), profile(), asked="q"), True, "", "numbers assign"),
    "profile gone": ("profile_gone", judged(number(), None), True, "", "profile of this account"),
    "profile disabled": ("profile_disabled", judged(number(), profile(enabled=False)), True, "", "enable it"),
    "no whitelist": ("no_destinations", judged(number(), profile(whitelisted_destinations=[])), True, "", "whitelist"),
    "nothing in common": (
        "destination_not_whitelisted",
        judged(british(features={"sms": HOME}), profile(whitelisted_destinations=["US"])),
        True,
        "",
        "whitelist",
    ),
    "home not whitelisted": (
        "destination_not_whitelisted",
        judged(british(), profile(whitelisted_destinations=["US", "FR"])),
        False,
        "FR,US",
        "whitelist",
    ),
    "conflicting product": (
        "conflicting_product",
        judged(number(messaging_product="P2P", eligible_messaging_products=["A2P"]), profile()),
        True,
        "",
        "products",
    ),
    "no campaign": ("campaign_missing", judged(number(), profile(), NONE), False, "!US", "register brand"),
    "no campaign, home only": (
        "campaign_missing",
        judged(number(features={"sms": HOME}), profile(), NONE),
        True,
        "",
        "register brand",
    ),
    "campaign pending": (
        "campaign_pending",
        judged(number(), profile(), assigned("PENDING_ASSIGNMENT")),
        False,
        "!US",
        "wait",
    ),
    "campaign failed": (
        "campaign_failed",
        judged(number(), profile(whitelisted_destinations=["US", "DE"]), assigned("FAILED_ASSIGNMENT")),
        False,
        "DE",
        "put right",
    ),
    "campaign being left": (
        "campaign_leaving",
        judged(number(), profile(), assigned("PENDING_UNASSIGNMENT")),
        False,
        "*",
        "assign it",
    ),
    "unverified": ("toll_free_unverified", judged(toll_free(), profile(), NONE), True, "", "verification"),
    "verification pending": (
        "toll_free_pending",
        judged(toll_free(), profile(), verified("in progress")),
        True,
        "",
        "wait",
    ),
    "verification waits for us": (
        "toll_free_needs_answer",
        judged(toll_free(), profile(), verified("waiting for customer")),
        True,
        "",
        "answer",
    ),
    "verification rejected": (
        "toll_free_rejected",
        judged(toll_free(), profile(), verified("rejected")),
        True,
        "",
        "put right",
    ),
    "campaigns unread": ("registration_unread", judged(number(), profile(), Registrations()), False, "*", "10DLC"),
    "verifications unread": (
        "registration_unread",
        judged(toll_free(), profile(), Registrations()),
        False,
        "*",
        "verified",
    ),
    "short code without messaging": (
        "short_code_unprovisioned",
        judged(number(phone_number="12345", type="shortcode", features={"sms": None}), profile()),
        True,
        "",
        "provisioned",
    ),
    "home only": ("country_rules", judged(british(features={"sms": HOME}), profile()), False, "GB", "abroad"),
    "bad sender ID": ("alphanumeric_invalid", judged(alpha("ACME-SHOP"), profile()), True, "", "register"),
    "refused everywhere": (
        "alphanumeric_refused",
        judged(alpha(), profile(whitelisted_destinations=["US", "CA"])),
        True,
        "",
        "us_long_code_fallback",
    ),
    "refused somewhere": ("alphanumeric_refused", judged(alpha(), profile()), False, "!CA,PR,US", "fall back"),
    "unhealthy, skipped": ("unhealthy", judged(number(health=SICK), profile()), True, "", "rest"),
    "unhealthy, kept": (
        "unhealthy",
        judged(number(health=SICK), profile(number_pool_settings=POOL | {"skip_unhealthy": False})),
        False,
        "*",
        "rest",
    ),
    "filtered": ("filtered", judged(number(health=GOOD | {"spam_ratio": 0.4}), profile()), False, "*", "reword"),
    "no MMS": ("no_mms", judged(number(features={"sms": WAYS, "mms": None}), profile()), False, "*", "MMS"),
    "P2P": ("p2p", judged(number(traffic_type="P2P"), profile()), False, "*", "A2P"),
    "no webhook": ("no_webhook", judged(number(), profile(webhook_url="")), False, "*", "--webhook-url"),
    "old webhooks": ("webhook_version", judged(number(), profile(webhook_api_version="1")), False, "*", "2"),
    "another route": (
        "routed_elsewhere",
        judged(number(), profile(), routes={"GB": ("alphanumeric",), "US": ("long_code",)}),
        False,
        "*",
        "[routes]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_cause_is_found_says_what_is_wrong_and_what_to_do(case: str) -> None:
    cause, found, blocking, reach, remedy = CASES[case]
    [named] = [each for each in found.findings if each.cause == cause]
    assert (named.blocking, found.ready, found.reach) == (blocking, not blocking, reach)
    assert remedy in named.remedy
    assert len(named.says) > 10
    assert "{" not in named.says + named.remedy
    if blocking:
        assert found.reason == named.says


def test_there_is_a_case_for_every_cause_of_the_table() -> None:
    assert {case[0] for case in CASES.values()} == set(causes())


def test_the_how_to_page_has_every_cause_with_what_to_do() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/read-the-doctor.md").read_text("utf-8")
    for name, cause in causes().items():
        [line] = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert cause.remedy.split("{")[0] in line


@pytest.mark.parametrize(
    ("case", "why"),
    [("campaign failed", "brand is not vetted"), ("verification rejected", "no opt-in shown")],
)
def test_the_carriers_own_reason_is_passed_on(case: str, why: str) -> None:
    assert any(f"({why})" in each.says for each in CASES[case][1].findings)


def test_no_sentence_holds_a_phone_number() -> None:
    said = "".join(each.says + each.remedy for case in CASES.values() for each in case[1].findings)
    assert LONG[1:] not in said
    assert FREE[1:] not in said


@pytest.mark.parametrize(
    ("row", "reach"),
    [
        (number(), "*"),
        (number(features=None), "*"),
        (number(features={"sms": HOME, "mms": None}), "AS,CA,GU,MP,PR,UM,US,VI"),
        (number(country_code="CA", features={"sms": HOME}), "AS,CA,GU,MP,PR,UM,US,VI"),
        (number(country_code="PR", features={"sms": WAYS | {"domestic_two_way": False}}), "!AS,CA,GU,MP,PR,UM,US,VI"),
        (toll_free(), "*"),
        (british(), "*"),
        (british(features={"sms": HOME}), "GB"),
        (british(country_code=None, features={"sms": HOME}), "GB"),
        (code(), "US"),
        (code(country_code=None), "*"),
        (number(phone_number="12345", type="short_code"), "US"),
        (alpha(), "!CA,PR,US"),
        (alpha(us_long_code_fallback=LONG), "!CA,PR"),
        (alpha("24 Stores"), "!CA,PR,US"),
    ],
)
def test_what_is_in_order_is_ready_and_says_to_where(row: Any, reach: str) -> None:
    found = judged(row, profile())
    assert (found.ready, found.reach, found.reason) == (True, reach, "")


def test_a_reach_ends_at_the_whitelist_and_the_numbers_own_is_kept_beside_it() -> None:
    found = judged(number(), profile(whitelisted_destinations=["US", "GB"]))
    assert (found.reach, found.own_reach) == ("GB,US", "*")
    sender = Sender("x", "long_code", "p", reach=found.reach)
    assert [country for country in ("US", "GB", "DE") if sender.reaches(country)] == ["US", "GB"]


def test_an_unregistered_number_of_a_profile_for_the_us_alone_is_told_of_its_campaign() -> None:
    found = judged(number(), profile(whitelisted_destinations=["US"]), NONE)
    assert [each.cause for each in found.blocking] == ["campaign_missing"]
    assert not found.ready


def test_a_fallback_makes_a_sender_id_ready_where_only_the_us_is_allowed() -> None:
    us = profile(whitelisted_destinations=["US"])
    assert not judged(alpha(), us).ready
    found = judged(alpha(us_long_code_fallback=LONG), us)
    assert (found.ready, found.reach, found.own_reach, found.fallback) == (True, "US", "!CA,PR,US", LONG)


def test_a_number_carries_the_campaign_that_it_shares() -> None:
    assert judged(number(), profile()).campaign == ("C1", "TCR1")
    assert judged(british(), profile()).campaign == ()


@pytest.mark.parametrize("name", ["", "12345", "ACME-SHOP", "Grüße", "twelve chars", "ACME\n", "ACME\t", "١ABC"])
def test_what_breaks_the_rules_of_sender_ids_is_told(name: str) -> None:
    assert judged(alpha(name), profile()).blocking[0].cause == "alphanumeric_invalid"


PERHAPS = st.one_of(st.none(), st.just(""), st.text(max_size=12))
SET = st.none() | st.just({}) | st.dictionaries(st.sampled_from(sorted(WAYS)), st.none() | st.booleans())
RATIO = st.none() | st.floats(0, 20)
HEALTH = st.none() | st.fixed_dictionaries(
    {"message_count": st.none() | st.integers(0, 9), "success_ratio": RATIO, "spam_ratio": RATIO}
)
NUMBERS = st.fixed_dictionaries(
    {"phone_number": st.sampled_from([LONG, FREE, BRITISH, "", "+", "+1", "+999", "12345", "x"])},
    optional={
        "type": st.none() | st.sampled_from(["longcode", "toll-free", "short_code", "", "fax"]),
        "country_code": st.none() | st.sampled_from(["US", "CA", "PR", "GB", ""]),
        "messaging_profile_id": st.none() | st.sampled_from(["p", "q", ""]),
        "messaging_product": PERHAPS,
        "traffic_type": PERHAPS,
        "eligible_messaging_products": st.none() | st.lists(st.just("A2P")),
        "features": st.none() | st.dictionaries(st.sampled_from(["sms", "mms", "rcs"]), SET | st.just(1)),
        "health": HEALTH,
    },
)
PROFILES = st.none() | st.fixed_dictionaries(
    {"id": st.sampled_from(["p", "q"])},
    optional={
        "enabled": st.none() | st.booleans(),
        "whitelisted_destinations": st.none() | st.lists(st.sampled_from(["US", "GB", "*"])),
        "webhook_url": PERHAPS,
        "webhook_api_version": st.none() | st.just("1"),
        "number_pool_settings": st.sampled_from([None, {}, POOL]),
    },
)
REGISTERED = st.builds(
    Registrations,
    st.none() | st.dictionaries(st.just(LONG), st.builds(Assignment, st.just(("",)), st.text(max_size=9))),
    st.none() | st.dictionaries(st.just(FREE), st.builds(Verified, st.text(max_size=9), st.text(max_size=9))),
)


@given(NUMBERS, PROFILES, REGISTERED, st.sampled_from(["", "p", "z"]))
def test_no_mix_of_nulls_is_beyond_judgement(
    row: dict[str, Any], held: dict[str, Any] | None, registrations: Registrations, asked: str
) -> None:
    named = None if held is None else Profile.model_validate(held)
    found = judge(Number.model_validate(row), named, registrations, Rules(routes={"*": ("toll_free",)}), asked=asked)
    assert found.ready == (not found.blocking)
    assert found.ready == (found.reach != "")
    assert bool(found.reason) == (not found.ready)
    assert named is not None or not found.ready


@given(
    st.fixed_dictionaries(
        {"alphanumeric_sender_id": st.text(max_size=12)},
        optional={"messaging_profile_id": PERHAPS, "us_long_code_fallback": PERHAPS},
    ),
    PROFILES,
)
def test_no_sender_id_is_beyond_judgement(row: dict[str, Any], held: dict[str, Any] | None) -> None:
    named = None if held is None else Profile.model_validate(held)
    found = judge(AlphanumericId.model_validate(row), named, NONE, Rules())
    assert found.ready == (found.reach != "") == (not found.blocking)


def test_no_sentence_of_the_table_is_cut_off_at_a_comma() -> None:
    text = files("volley.carrier").joinpath("readiness_causes.csv").read_text("utf-8")
    assert {len(row) for row in csv.reader(StringIO(text))} == {4}
