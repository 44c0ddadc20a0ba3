"""What Telnyx refuses, and with which code."""

import pytest

from volley.sandbox.config import NumberPool, ProfileSpec, SandboxConfig
from volley.sandbox.draft import Desk
from volley.sandbox.endpoints import ENDPOINTS, MESSAGES, Endpoint
from volley.sandbox.numbers import Numbers
from volley.sandbox.replies import ERRORS, Refusal

OTHER = "5a4db0c5-0000-4000-8000-000000000002"
PROFILE = ProfileSpec(pool=(("long_code", 3, 0), ("toll_free", 1, 0), ("alphanumeric", 1, 0)))
CONFIG = SandboxConfig(
    profiles=(
        PROFILE,
        ProfileSpec(id=OTHER, pool=(("long_code", 1, 0),), whitelisted_destinations=("US",), number_pool=None),
        ProfileSpec(id="off", pool=(("long_code", 1, 0),), enabled=False),
        ProfileSpec(id="nowhere", pool=(("long_code", 1, 0),), whitelisted_destinations=()),
    ),
    spare=(("long_code", 1, 0),),
    unhealthy=(2,),
)
NUMBERS = Numbers(CONFIG)
LONG, TOLL_FREE, ALPHA = NUMBERS.all[0].number, NUMBERS.all[3].number, NUMBERS.all[4].number
OF_OTHER, OF_OFF, OF_NOWHERE, SPARE = (each.number for each in NUMBERS.all[5:])
TO = "+12025550123"
POOL = ENDPOINTS[b"POST /v2/messages/number_pool"]
GOOD: dict[str, object] = {"from": LONG, "to": TO, "text": "hello"}


def _code(body: dict[str, object], endpoint: Endpoint = MESSAGES) -> str:
    with pytest.raises(Refusal) as caught:
        Desk(CONFIG, NUMBERS).check(body, endpoint)
    return caught.value.code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"to": None}, "10004"),
        ({"to": "12025550123"}, "40310"),
        ({"to": "+0123456789"}, "40310"),
        ({"to": "+1 202 555 0123"}, "40310"),
        ({"to": [TO]}, "40310"),
        ({"text": ""}, "40316"),
        ({"text": None}, "40316"),
        ({"text": 5}, "10026"),
        ({"text": "a" * 1531}, "40302"),
        ({"text": "ж" * 671}, "40302"),
        ({"text": "hello ✓", "encoding": "gsm7"}, "10015"),
        ({"encoding": "utf8"}, "10032"),
        ({"from": SPARE}, "40305"),
        ({"from": "+12025559999"}, "40305"),
        ({"messaging_profile_id": OTHER}, "40305"),
        ({"from": NUMBERS.all[2].number}, "40315"),
        ({"from": None}, "10004"),
        ({"from": 5}, "10026"),
        ({"from": None, "messaging_profile_id": "unknown"}, "10005"),
        ({"from": None, "messaging_profile_id": OTHER}, "40321"),
        ({"from": "Much Too Long"}, "40325"),
        ({"from": "Stranger", "messaging_profile_id": OTHER}, "40306"),
        ({"from": "Stranger", "messaging_profile_id": PROFILE.id}, "40307"),
        ({"from": ALPHA, "to": "+447700900123"}, "10004"),
        ({"from": ALPHA, "messaging_profile_id": PROFILE.id}, "40301"),
        ({"from": OF_OTHER, "to": "+447700900123"}, "40309"),
        ({"from": OF_OFF}, "40312"),
        ({"from": OF_NOWHERE}, "40331"),
        ({"media_urls": ["https://example.com/a.png"] * 11}, "40317"),
        ({"media_urls": "https://example.com/a.png"}, "10026"),
        ({"webhook_url": "ftp://example.com"}, "10003"),
        ({"webhook_url": "https://example.com/" + "a" * 2000}, "10003"),
        ({"send_at": "2030-01-01T00:00:00Z"}, "10033"),
        ({"send_at": "2020-01-01T00:00:00Z"}, "10033"),
        ({"send_at": "soon"}, "10015"),
        ({"send_at": 5}, "10026"),
        ({"type": "MMS"}, "40304"),
        ({"type": "SMS", "media_urls": ["https://example.com/a.png"]}, "40304"),
        ({"type": "RCS"}, "10032"),
    ],
)
def test_a_send_that_telnyx_refuses_is_refused_with_its_code(change: dict[str, object], code: str) -> None:
    assert _code(GOOD | change) == code
    assert code in ERRORS


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"to": "12345"},
        {"text": "a" * 1530},
        {"messaging_profile_id": PROFILE.id},
        {"from": OF_OTHER},
        {"from": ALPHA, "messaging_profile_id": PROFILE.id, "to": "+447700900123"},
        {"text": None, "media_urls": ["https://example.com/a.png"]},
        {"text": "“quoted”", "encoding": "gsm7"},
        {"from": None, "messaging_profile_id": PROFILE.id},
    ],
)
def test_a_send_in_order_is_taken(change: dict[str, object]) -> None:
    assert Desk(CONFIG, NUMBERS).check(GOOD | change).profile.spec.enabled


@pytest.mark.parametrize(
    ("text", "encoding", "counted"),
    [
        ("a" * 160, "auto", ("GSM-7", 1)),
        ("a" * 161, "auto", ("GSM-7", 2)),
        ("ж" * 71, "auto", ("UCS-2", 2)),
        ("plain", "ucs2", ("UCS-2", 1)),
        ("“quoted”", "gsm7", ("GSM-7", 1)),
    ],
)
def test_encoding_and_parts_are_those_that_are_billed(text: str, encoding: str, counted: tuple[str, int]) -> None:
    assert Desk(CONFIG, NUMBERS).check(GOOD | {"text": text, "encoding": encoding}).content[:2] == counted


def test_a_profile_with_smart_encoding_counts_what_is_left_after_it() -> None:
    config = SandboxConfig(profiles=(ProfileSpec(pool=(("long_code", 1, 0),), smart_encoding=True),))
    content = Desk(config, Numbers(config)).check(GOOD | {"text": "It’s ready"}).content
    assert content == ("GSM-7", 1, True)


def test_webhooks_are_the_message_s_own_or_the_profile_s() -> None:
    profile = ProfileSpec(pool=(("long_code", 1, 0),), webhook_url="https://profile.example.com")
    config = SandboxConfig(profiles=(profile,))
    desk = Desk(config, Numbers(config))
    assert desk.check(GOOD).webhook_url == "https://profile.example.com"
    assert desk.check(GOOD | {"webhook_url": "https://own.example.com"}).webhook_url == "https://own.example.com"
    assert desk.check(GOOD | {"use_profile_webhooks": False}).webhook_url == ""


def _pool(pool: NumberPool, unhealthy: tuple[int, ...] = ()) -> tuple[Desk, Numbers]:
    profile = ProfileSpec(pool=(("long_code", 10, 0), ("toll_free", 2, 0)), number_pool=pool)
    config = SandboxConfig(profiles=(profile,), unhealthy=unhealthy)
    numbers = Numbers(config)
    return Desk(config, numbers), numbers


def _sent_from(desk: Desk, to: str) -> str:
    return desk.check({"messaging_profile_id": PROFILE.id, "to": to, "text": "x"}, POOL).number.number


def test_the_pool_divides_by_the_weights_of_the_types() -> None:
    desk, numbers = _pool(NumberPool(long_code_weight=5, toll_free_weight=1))
    types = [numbers.by_number[_sent_from(desk, f"+1202555{turn:04d}")].type for turn in range(600)]
    assert types.count("long_code") == 500


def test_a_sticky_pool_sends_to_a_person_from_one_number() -> None:
    desk, _ = _pool(NumberPool(sticky_sender=True))
    senders = {_sent_from(desk, TO) for _ in range(20) if _sent_from(desk, f"+1202555{_:04d}")}
    assert len(senders) == 1


def test_an_area_match_prefers_the_area_code() -> None:
    desk, numbers = _pool(NumberPool(geomatch=True))
    assert _sent_from(desk, f"{numbers.all[7].number[:5]}5550199") == numbers.all[7].number


def test_unhealthy_numbers_leave_the_pool() -> None:
    desk, _ = _pool(NumberPool(skip_unhealthy=True, toll_free_weight=0), unhealthy=tuple(range(10)))
    with pytest.raises(Refusal, match="40321"):
        _sent_from(desk, TO)
