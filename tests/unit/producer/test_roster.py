"""What a sync makes of a profile and its numbers: senders, the carrier's pool, the settings that ours follows."""

from decimal import Decimal
from typing import Any

import pytest

from producer.pool.facts import facts
from producer.pool.members import Members
from producer.pool.roster import enrolled
from volley.carrier.causes import finding
from volley.carrier.edge import Profile
from volley.carrier.readiness import Readiness
from volley.profile import ProfileFacts
from volley.rates import Rates
from volley.sender import Sender, carrier_pool
from volley.settings import Settings

POOL = {"long_code_weight": 1, "toll_free_weight": 1, "skip_unhealthy": True, "sticky_sender": True, "geomatch": True}
UNHEALTHY = finding("unhealthy", blocking=True, success=0.1, spam=0.1, count=9, consequence="")


def profile(**fields: Any) -> Profile:
    usual = {"id": "p", "whitelisted_destinations": ["US"], "number_pool_settings": POOL}
    return Profile.model_validate(usual | fields)


def found(number: str = "+13125550101", **fields: Any) -> Readiness:
    kind = fields.pop("type", "long_code")
    return Readiness(number, kind, not fields.get("findings"), "US", **({"own_reach": "*"} | fields))


def senders(*judged: Readiness, held: Profile | None = None, **settings: Any) -> tuple[Sender, ...]:
    return enrolled(Members(held or profile(), judged), Settings(**settings), Settings(**settings).rates).senders


def test_what_is_ready_is_a_sender_with_its_own_reach_and_not_the_profiles() -> None:
    judged = found(own_reach="!US", country="US", mms=True, fallback="+13125550109", campaign=("C1", "TCR1"))
    [made, _] = senders(judged)
    assert (made.active, made.reason, made.reach, made.mms) == (True, "", "!US", True)
    assert (made.country, made.fallback, made.group, made.rate_milli) == ("US", "+13125550109", "C1", 100)


def test_what_is_not_ready_is_out_with_the_reason() -> None:
    why = finding("no_sms")
    roster = enrolled(Members(profile(), (found(findings=(why,)), found("+13125550102"))), Settings(), Rates())
    assert [(each.active, each.reason) for each in roster.senders[:2]] == [(False, why.says), (True, "")]
    assert [each.number for each in roster.not_ready] == ["+13125550101"]
    assert [each.number for each in roster.usable] == ["+13125550102"]


def test_a_campaign_goes_by_the_id_for_which_the_settings_have_a_rate() -> None:
    rates = Rates(campaign={"TCR1": Decimal(75)})
    [made, _] = enrolled(Members(profile(), (found(campaign=("C1", "TCR1")),)), Settings(), rates).senders
    assert made.group == "TCR1"


@pytest.mark.parametrize(
    ("policy", "others", "state"),
    [
        ("move", (), (False, False)),
        ("keep", (), (True, True)),
        ("keep", (finding("no_sms"),), (False, False)),
    ],
)
def test_an_unhealthy_number_is_kept_for_its_people_only_by_policy_and_if_nothing_else_is_wrong(
    policy: str, others: Any, state: tuple[bool, bool]
) -> None:
    judged = (found(findings=(UNHEALTHY, *others)),)
    roster = enrolled(Members(profile(), judged), Settings(unhealthy_pins=policy), Rates())
    made = roster.senders[0]
    assert (made.active, made.kept) == state
    assert not roster.usable
    assert made.reason == UNHEALTHY.says
    assert len(roster.kept) + len(roster.not_ready) == 1


def pool(*judged: Readiness, **fields: Any) -> Sender:
    made = senders(*judged, held=profile(**fields))[-1]
    assert (made.number, made.type, made.profile) == (carrier_pool("p"), "carrier_pool", "p")
    return made


def test_the_carriers_pool_is_as_fast_as_its_slowest_type_can_take_its_share() -> None:
    four = (
        found("+13125550101"),
        found("+13125550102", findings=(finding("no_sms"),)),
        found("+18005550101", type="toll_free"),
        found("12345", type="short_code"),
    )
    assert (pool(*four).active, pool(*four).rate_milli) == (True, 2 * 100)
    for long_code, toll_free, rate in (
        (0, 1, 20_000),
        (1, 0, 100),
        (1, 9, 1_000),
        (1, 200, 100 * 201),
        (1, 999, 20_020),
    ):
        weighed = POOL | {"long_code_weight": long_code, "toll_free_weight": toll_free}
        assert pool(*four, number_pool_settings=weighed).rate_milli == rate
    assert pool(*four[:2]).rate_milli == 100, "a type without numbers is dealt nothing"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (None, "pool is off"),
        ({}, "pool is off"),
        (POOL | {"long_code_weight": 0, "toll_free_weight": 0}, "no usable number"),
        (POOL | {"long_code_weight": 0}, "no usable number"),
    ],
)
def test_the_carriers_pool_is_there_only_where_it_has_somebody(settings: Any, reason: str) -> None:
    made = pool(found(), number_pool_settings=settings)
    assert not made.active
    assert reason in made.reason


def followed(held: Profile | None = None, **settings: Any) -> ProfileFacts:
    return facts(held or profile(), Settings(**settings), now_us=7)


def said(of: ProfileFacts) -> str:
    return "; ".join(of.deviations)


OFF = POOL | {"sticky_sender": False}


@pytest.mark.parametrize(
    ("ours", "theirs", "sticky", "words"),
    [
        ("profile", POOL, True, None),
        ("profile", OFF, False, None),
        ("profile", None, True, "number pool is off"),
        ("always", OFF, True, "VOLLEY_STICKY=always"),
        ("always", POOL, True, None),
        ("never", POOL, False, "VOLLEY_STICKY=never"),
        ("never", OFF, False, None),
        ("never", None, False, "deals people anew"),
    ],
)
def test_people_stay_with_their_sender_as_the_settings_say_else_as_the_profile_does(
    ours: Any, theirs: Any, sticky: bool, words: str | None
) -> None:
    known = followed(profile(number_pool_settings=theirs), sticky=ours)
    assert known.sticky is sticky
    told = [each for each in known.deviations if "pins are kept" not in each]
    assert any(words in each for each in told) if words else not any("sticky" in each for each in told)


def test_the_profiles_settings_are_followed() -> None:
    fields = {"name": "Shop", "whitelisted_destinations": ["US", "GB"], "smart_encoding": True, "mobile_only": True}
    more = {"mms_fall_back_to_sms": True, "mms_transcoding": True, "alpha_sender": "ACME"}
    known = followed(profile(**fields, **more))
    assert (known.id, known.name, known.destinations, known.synced_us) == ("p", "Shop", ("US", "GB"), 7)
    assert all((known.geomatch, known.skip_unhealthy, known.smart_encoding, known.mobile_only))
    assert all((known.mms_fall_back_to_sms, known.mms_transcoding, known.alpha_sender == "ACME"))
    bare = followed(profile(number_pool_settings=None, whitelisted_destinations=None))
    assert (bare.geomatch, bare.skip_unhealthy, bare.destinations) == (False, False, ())


@pytest.mark.parametrize(
    ("limit", "on", "micros"),
    [
        ("100.00", True, 100_000_000),
        ("0.5", True, 500_000),
        (12.5, True, 12_500_000),
        ("100.00", False, None),
        (None, True, None),
        ("much", True, None),
        ("NaN", True, None),
        ("Infinity", True, None),
    ],
)
def test_a_daily_limit_is_money(limit: Any, on: bool, micros: int | None) -> None:
    known = followed(profile(daily_spend_limit=limit, daily_spend_limit_enabled=on))
    assert known.spend_limit_micros == micros
    assert ("enforced by the carrier" in said(known)) == (micros is not None)


def test_each_deviation_is_said() -> None:
    assert "pins are kept for 8 days here and are not wiped" in said(followed())
    assert "30 days here (8 at the carrier)" in said(followed(pin_days=30))
    assert "not by chance" in said(followed())
    assert "not by chance" not in said(followed(profile(number_pool_settings=POOL | {"toll_free_weight": 0})))
    assert "VOLLEY_UNHEALTHY_PINS=keep" in said(followed(unhealthy_pins="keep"))
    assert "VOLLEY_UNHEALTHY_PINS" not in said(followed())
    none = POOL | {"toll_free_weight": 0, "long_code_weight": 0}
    assert "all weights are 0" in said(followed(profile(number_pool_settings=none)))


def test_facts_go_to_redis_and_back() -> None:
    known = followed(profile(daily_spend_limit="1", daily_spend_limit_enabled=True), sticky="never")
    assert ProfileFacts.from_json(known.to_json()) == known
