"""Messages and events through the client: sent once whatever happens to the answer, followed without a gap and without a double."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook

from producer.callbacks.messenger import document
from producer.client import NEVER, AsyncClient, BadCallback, Client, Gone, NotFound, Unreachable, verify_callback
from tests.chaos.proxy import Proxy, Way
from tests.flow.api.conftest import PROFILE, Office
from tests.flow.api.test_client import HASTY

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT = {
    "id": "5.1",
    "type": "message.delivered",
    "at": "2026-05-01T09:30:00.000+00:00",
    "campaign_id": None,
    "data": {},
}
CALL = document("volley.events", [EVENT, EVENT | {"id": "5.2"}], 1_777_627_800_000_000)
"""The body as the messenger makes it."""


@pytest.fixture
def line(office: Office) -> Iterator[Proxy]:
    target = urlsplit(office.url)
    with Proxy((str(target.hostname), target.port or 0)) as made:
        yield made


def test_messages_are_sent_once_though_the_answer_is_lost(office: Office, line: Proxy) -> None:
    texts = [{"to": f"+131255530{n:02d}", "text": f"Your code is {n}", "reference": f"c{n}"} for n in range(3)]
    line.set(back=Way(cut_after=20))
    url = f"http://127.0.0.1:{line.port}"
    with Client(url, office.key, retries=NEVER) as volley, pytest.raises(Unreachable) as lost:
        volley.send(texts, profile=PROFILE)
    key = lost.value.idempotency_key
    with Client(office.url, office.key, retries=HASTY) as volley:
        sent = volley.send(texts, profile=PROFILE, idempotency_key=key)
        assert sent.replayed
        assert [each.status for each in sent.messages] == ["ready"] * 3
        assert sent.messages[1].message_id is not None
        found = volley.message(sent.messages[1].message_id)
        assert (found.to, found.reference) == ("+13125553001", "c1")
        other = volley.send(texts, profile=PROFILE)
        assert not other.replayed
        assert other.messages[1].message_id != found.message_id
        with pytest.raises(NotFound):
            volley.message("nobody")


def push_some(office: Office, first: int, count: int) -> list[str]:
    with Client(office.url, office.key, retries=HASTY) as volley:
        return [
            volley.push([{"to": f"+1312555{first + n:04d}"}], profile=PROFILE, text=f"event {first + n}").id
            for n in range(count)
        ]


def test_events_go_on_where_the_stream_broke_and_none_comes_twice(office: Office, line: Proxy) -> None:
    with Client(f"http://127.0.0.1:{line.port}", office.key, retries=HASTY, timeout_s=30) as volley:
        before = [each.id for each in volley.events(follow=False)]
        first = push_some(office, 3100, 2)
        feed = volley.events(before[-1] if before else None, types=["campaign.accepted"])
        mine = list(first)  # the feed may not have told yet of what others pushed before
        found = itertools.filterfalse(lambda campaign: campaign not in mine, (each.campaign_id for each in feed))
        told = list(itertools.islice(found, 2))
        line.reset_all()
        mine += push_some(office, 3110, 2)
        told += itertools.islice(found, 2)
        feed.close()  # type: ignore[attr-defined]
        assert told == mine
        again = volley.events(before[-1] if before else None, types=["campaign.accepted"], follow=False)
        assert [each.campaign_id for each in again if each.campaign_id in mine] == mine


async def test_the_asynchronous_twin_follows_and_sends_too(office: Office) -> None:
    async with AsyncClient(office.url, office.key, retries=HASTY) as volley:
        sent = await volley.send([{"to": "+13125553200", "text": "Hi"}], profile=PROFILE)
        assert sent.messages[0].message_id is not None
        assert (await volley.message(sent.messages[0].message_id)).to == "+13125553200"
        assert [each.id async for each in volley.events(follow=False)]
        async for event in volley.events(types=["campaign.*"]):
            assert event.type.startswith("campaign.")
            break


def test_a_cursor_that_nobody_knows_is_gone_and_not_begun_anew(office: Office) -> None:
    with Client(office.url, office.key) as volley, pytest.raises(Gone):
        next(volley.events("999999.1"))


def signed(body: bytes, at: datetime) -> dict[str, str]:
    signature = Webhook(SECRET).sign("msg_1", at, body.decode())
    return {
        "Webhook-Id": "msg_1", "Webhook-Timestamp": str(int(at.timestamp())), "Webhook-Signature": f"v1,AAAA {signature}",
    }  # fmt: skip


def test_a_callback_is_taken_only_if_we_signed_it_and_lately() -> None:
    now = datetime.now(UTC)
    good = signed(CALL, now)
    assert [each.id for each in verify_callback(CALL, good, "whsec_b2xkIG9uZSBvbGQgb25l", SECRET)] == ["5.1", "5.2"]
    trial = document("volley.test", [], 1_777_627_800_000_000)
    assert verify_callback(trial, signed(trial, now), SECRET) == ()
    forged = [
        (CALL + b" ", good, SECRET),
        (CALL, good, "whsec_b2xkIG9uZSBvbGQgb25l"),
        (CALL, signed(CALL, now - timedelta(minutes=6)), SECRET),
        (CALL, {}, SECRET),
        (CALL, good | {"Webhook-Signature": "v1"}, SECRET),
        (b"\xff", good, SECRET),
        (b"[]", signed(b"[]", now), SECRET),
    ]
    for body, headers, secret in forged:
        with pytest.raises(BadCallback):
            verify_callback(body, headers, secret)
