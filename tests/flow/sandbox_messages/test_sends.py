"""Every send endpoint as the official client asks it: what it wants, from whom it sends, what it refuses."""

from typing import Any

import httpx
import pytest
import telnyx

from volley.sandbox.config import PROFILE_ID, Pool, ProfileSpec
from volley.sandbox.number_spec import Health, NumberChange

PERSON, BRITON = "+12025550123", "+447700900123"
POOL: Pool = (("long_code", 2, 0), ("toll_free", 1, 0), ("short_code", 1, 0), ("alphanumeric", 1, 0))
OTHER = "5a4db0c5-0000-4000-8000-000000000002"


async def post(world: Any, path: str, body: dict[str, object]) -> str:
    """The code that refuses it."""
    with pytest.raises(telnyx.APIStatusError) as caught:
        await world.client.post(path, body=body, cast_to=httpx.Response)
    return str(caught.value.body["errors"][0]["code"])  # type: ignore[index]


async def test_each_endpoint_sends_from_senders_of_its_type(opened: Any) -> None:
    world = await opened(pool=POOL)
    long_code, _, toll_free, short_code, alpha = world.sandbox.senders
    messages = world.client.messages
    hello: dict[str, Any] = {"to": BRITON, "text": "hello"}
    sent = [
        await messages.send(from_=long_code, **hello),
        await messages.send_long_code(from_=toll_free, **hello),
        await messages.send_short_code(from_=short_code, **hello),
        await messages.send_with_alphanumeric_sender(from_=alpha, messaging_profile_id=PROFILE_ID, **hello),
        await messages.send_number_pool(messaging_profile_id=PROFILE_ID, **hello),
        await messages.send(messaging_profile_id=PROFILE_ID, **hello),
        await messages.schedule(from_=long_code, **hello),
    ]
    senders = [each.data.from_.phone_number for each in sent]
    assert senders[:4] == [long_code, toll_free, short_code, alpha]
    assert {*senders[4:6]} <= {*world.sandbox.senders[:3]}
    assert [each.sender for each in world.sandbox.arrivals()] == senders
    shown = [(await messages.retrieve(str(each.data.id))).data.id for each in sent]
    assert shown == [each.data.id for each in sent]


@pytest.mark.parametrize(
    ("path", "lacking"),
    [
        ("/messages/long_code", ["from", "to"]),
        ("/messages/short_code", ["from", "to"]),
        ("/messages/number_pool", ["messaging_profile_id", "to"]),
        ("/messages/alphanumeric_sender_id", ["from", "to", "text", "messaging_profile_id"]),
        ("/messages", ["from", "to"]),
        ("/messages/schedule", ["from", "to"]),
    ],
)
async def test_what_an_endpoint_requires_is_missed(opened: Any, path: str, lacking: list[str]) -> None:
    world = await opened(pool=POOL)
    sender = {"/messages/short_code": 3, "/messages/alphanumeric_sender_id": 4}.get(path, 0)
    whole = {"from": world.sandbox.senders[sender], "to": BRITON, "text": "hello"}
    if path in ("/messages/number_pool", "/messages/alphanumeric_sender_id"):
        whole["messaging_profile_id"] = PROFILE_ID
    for name in lacking:
        body: dict[str, object] = {key: value for key, value in whole.items() if key != name}
        expected = "40316" if name == "text" and path == "/messages" else "10004"
        assert await post(world, path, body) == expected, name


async def test_a_sender_of_another_type_or_profile_is_refused(opened: Any) -> None:
    profiles = (ProfileSpec(pool=POOL), ProfileSpec(id=OTHER, pool=(("long_code", 1, 0),)))
    world = await opened({"profiles": profiles})
    long_code, _, _, short_code, alpha, _ = world.sandbox.senders
    hello = {"to": BRITON, "text": "hello"}
    answers = [
        await post(world, "/messages/short_code", hello | {"from": long_code}),
        await post(world, "/messages/long_code", hello | {"from": short_code}),
        await post(
            world, "/messages/alphanumeric_sender_id", hello | {"from": long_code, "messaging_profile_id": PROFILE_ID}
        ),
        await post(world, "/messages/alphanumeric_sender_id", hello | {"from": alpha, "messaging_profile_id": OTHER}),
        await post(world, "/messages", hello | {"from": long_code, "messaging_profile_id": OTHER}),
    ]
    assert answers == ["40305"] * 5


async def test_alphanumeric_ids_keep_to_their_rules(opened: Any) -> None:
    profiles = (ProfileSpec(pool=POOL), ProfileSpec(id=OTHER, pool=(("long_code", 1, 0),)))
    world = await opened({"profiles": profiles})
    alpha, path = world.sandbox.senders[4], "/messages/alphanumeric_sender_id"
    hello: dict[str, object] = {"from": alpha, "to": BRITON, "text": "hello", "messaging_profile_id": PROFILE_ID}
    assert await post(world, path, hello | {"from": "Far Too Long Name"}) == "40325"
    assert await post(world, path, hello | {"from": "12345678901"}) == "40305"
    assert await post(world, path, hello | {"from": "Other Name"}) == "40307"
    assert await post(world, path, hello | {"from": "Other Name", "messaging_profile_id": OTHER}) == "40306"
    for person in ("+12025550123", "+14165550123", "+17875550123"):
        assert await post(world, path, hello | {"to": person}) == "40301", person


async def test_the_fallback_number_sends_where_an_alphanumeric_id_cannot(opened: Any) -> None:
    world = await opened(pool=POOL)
    alpha, number = world.sandbox.senders[4], world.sandbox.senders[0]
    world.sandbox.numbers.by_number[alpha].fallback = number
    hello: dict[str, Any] = {"text": "hello", "messaging_profile_id": PROFILE_ID, "from_": alpha}
    american = await world.client.messages.send_with_alphanumeric_sender(to=PERSON, **hello)
    british = await world.client.messages.send_with_alphanumeric_sender(to=BRITON, **hello)
    assert (american.data.from_.phone_number, british.data.from_.phone_number) == (number, alpha)
    assert [each.sender for each in world.sandbox.arrivals()] == [number, alpha]


async def test_an_unhealthy_or_a_pending_sender_is_refused_and_told_why(opened: Any) -> None:
    ill = NumberChange(health={"success_ratio": 0.11, "spam_ratio": 0.9})
    world = await opened({"states": {0: ill, 1: NumberChange(provisioning=True)}})
    with pytest.raises(telnyx.BadRequestError, match=r"40315.*success ratio is 0.11, its spam ratio 0.9"):
        await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="hello")
    with pytest.raises(telnyx.BadRequestError, match="40320"):
        await world.client.messages.send(from_=world.sandbox.senders[1], to=PERSON, text="hello")
    assert not Health(success_ratio=0.11).good


async def test_a_message_is_shown_as_it_was_sent_whatever_became_of_its_number(opened: Any) -> None:
    world = await opened()
    numbers, sender = world.sandbox.numbers, world.sandbox.senders[0]
    sent = await world.client.messages.send(from_=sender, to=PERSON, text="hello")
    number = numbers.by_number[sender]
    number.profile.members.pop(number.index)
    number.profile = None
    numbers.refresh(number)
    shown = await world.client.messages.retrieve(str(sent.data.id))
    with pytest.raises(telnyx.BadRequestError, match="40305"):
        await world.client.messages.send(from_=sender, to=PERSON, text="hello")
    assert shown.data.messaging_profile_id == sent.data.messaging_profile_id == PROFILE_ID
    assert shown.data.from_.phone_number == sender


async def test_a_message_nobody_knows_is_not_found(opened: Any) -> None:
    world = await opened({"keep": 1})
    first, last = [
        await world.client.messages.send(from_=world.sandbox.senders[0], to=PERSON, text="hello") for _ in range(2)
    ]
    assert (await world.client.messages.retrieve(str(last.data.id))).data.id == last.data.id
    for message_id in (str(first.data.id), "5a4db0c5-0000-4000-8000-00000000f00d"):
        with pytest.raises(telnyx.NotFoundError, match="40303"):
            await world.client.messages.retrieve(message_id)


async def test_a_key_belongs_to_one_path_and_one_body(opened: Any) -> None:
    world = await opened()
    body: dict[str, Any] = {"from_": world.sandbox.senders[0], "to": PERSON, "text": "hello", "idempotency_key": "k:1"}
    first, again = [await world.client.messages.send(**body) for _ in range(2)]
    elsewhere = await world.client.messages.send_long_code(**body)
    with pytest.raises(telnyx.UnprocessableEntityError, match="10027"):
        await world.client.messages.send(**body | {"text": "other"})
    raw = await world.client.messages.with_raw_response.send(**body)
    assert first.data.id == again.data.id != elsewhere.data.id
    assert raw.headers["Idempotent-Replayed"] == "true"
