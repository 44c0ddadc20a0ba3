"""Pushes into a real Valkey: whole or not at all, once, and every row accounted for."""

import asyncio
import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from producer.intake import PushRequest, PushResult, push
from producer.push.sources import ObjectSource, open_source
from volley.campaign import Campaign
from volley.embedded import EmbeddedValkey
from volley.errors import RefusedByPolicy, TryAgainLater, UnusableInput
from volley.outbox.chunks import SIZE, Chunk, decode
from volley.outbox.outbox import Outbox
from volley.sender import Sender
from volley.settings import Settings

PROFILE = "40017b3d-0000-4000-8000-000000000001"
HELLO = "Hi {name}"


@pytest.fixture
async def outbox(db: redis.asyncio.Redis) -> Outbox:
    found = Outbox(db, "test")
    senders = [Sender(f"+1206555010{n}", "long_code", PROFILE, "US", rate_milli=1000) for n in range(3)]
    await found.sync_senders(PROFILE, senders, None)
    return found


def people(count: int, name: str = "Ann") -> list[str]:
    return [f"+1312555{number:04d},{name}" for number in range(count)]


def listed(lines: list[str]) -> str:
    return "\n".join(["to,name", *lines, ""])


async def pushed(outbox: Outbox, content: str | bytes, **fields: Any) -> PushResult:
    request = PushRequest(**({"profile": PROFILE, "template": HELLO} | fields))
    source = open_source(BytesIO(content.encode() if isinstance(content, str) else content), "list.csv")
    return await push(outbox, Settings(), request, source)


async def keys(outbox: Outbox) -> set[bytes]:
    return set(await outbox.redis.keys("*"))  # type: ignore[attr-defined]


async def chunks(outbox: Outbox, campaign_id: str | None) -> list[Chunk]:
    view = await outbox.campaign(campaign_id or "")
    assert view is not None
    blobs = [await outbox.redis.get(outbox.keys.chunk(view.campaign.id, at)) for at in range(view.campaign.chunks)]
    assert all(blobs)
    return [decode(blob or b"") for blob in blobs]


async def test_what_is_pushed_is_what_waits(outbox: Outbox) -> None:
    result = await pushed(outbox, listed(people(1200)), priority="urgent", weight=3, tags=("spring",))
    view = await outbox.campaign(result.campaign_id or "")
    assert view is not None
    assert view.counts["ready"] == result.accepted == view.campaign.accepted == 1200
    assert [len(chunk) for chunk in await chunks(outbox, result.campaign_id)] == [SIZE, SIZE, 200]
    assert (view.campaign.priority, view.campaign.weight, view.campaign.tags) == ("urgent", 3, ("spring",))
    assert view.campaign.columns == ("name",)
    [first, *_] = await chunks(outbox, result.campaign_id)
    assert first.to[:2] == [13125550000, 13125550001]
    assert first.values[0][0] == "Ann"
    for at in range(3):
        states = await outbox.redis.get(outbox.keys.states(view.campaign.id, at))
        assert states == b"." * min(SIZE, 1200 - at * SIZE)


async def test_the_four_counts_add_up_to_the_rows_and_opted_out_people_are_left_out(outbox: Outbox) -> None:
    await outbox.add_optouts(PROFILE, [13125550001, 13125550700])
    lines = [*people(1000), "nobody,Ann", "+13125550002,Again", "+13125550001,Again", "+13125559999,"]
    result = await pushed(outbox, listed(lines))
    assert (result.accepted, result.rejected, result.duplicates, result.opted_out) == (998, 2, 2, 2)
    assert result.rows == len(lines)
    held = await chunks(outbox, result.campaign_id)
    numbers = [number for chunk in held for number in chunk.to]
    assert len(numbers) == len(set(numbers)) == 998
    assert not {13125550001, 13125550700} & set(numbers)
    assert all(len(column) == len(chunk) for chunk in held for column in (chunk.parts, chunk.estimates, *chunk.values))
    assert sum(sum(chunk.parts) for chunk in held) == result.parts == 998
    assert sum(sum(chunk.estimates) for chunk in held) == result.estimated_micros > 0


async def test_a_chunk_whose_people_all_opted_out_leaves_no_gap(outbox: Outbox) -> None:
    await outbox.add_optouts(PROFILE, list(range(13125550000, 13125550000 + SIZE)))
    result = await pushed(outbox, listed(people(SIZE + 10)))
    assert [len(chunk) for chunk in await chunks(outbox, result.campaign_id)] == [10]


async def test_the_same_rows_within_a_day_are_the_same_campaign(outbox: Outbox) -> None:
    first = await pushed(outbox, listed(people(600)))
    before = await keys(outbox)
    second = await pushed(outbox, listed([*people(600), "nobody,Ann"]))
    assert (first.existing, second.existing) == (False, True)
    assert second.as_json() == first.as_json()
    assert await keys(outbox) == before
    [life] = [await outbox.redis.ttl(key) for key in before if b":once:" in key]  # type: ignore[attr-defined]
    assert 86_000 < life <= 86_400


async def test_again_is_another_campaign_and_leaves_the_first_key_alone(outbox: Outbox) -> None:
    first = await pushed(outbox, listed(people(3)))
    again = [await pushed(outbox, listed(people(3)), again=True) for _ in range(2)]
    assert len({result.campaign_id for result in (first, *again)}) == 3
    assert (await pushed(outbox, listed(people(3)))).campaign_id == first.campaign_id


async def test_somebody_opting_out_does_not_make_the_same_push_another_one(outbox: Outbox) -> None:
    first = await pushed(outbox, listed(people(2)))
    await outbox.add_optouts(PROFILE, [13125550000])
    assert (await pushed(outbox, listed(people(2)))).as_json() == first.as_json()
    await outbox.add_optouts(PROFILE, [13125550001])
    assert (await pushed(outbox, listed(people(2)))).as_json() == first.as_json()


async def test_a_key_pushed_twice_is_one_campaign_and_with_other_content_it_is_refused(outbox: Outbox) -> None:
    first = await pushed(outbox, listed(people(600)), idempotency_key="june")
    before = await keys(outbox)
    assert (await pushed(outbox, listed(people(600)), idempotency_key="june")).as_json() == first.as_json()
    for content, fields in (
        (listed(people(601)), {}),
        (listed(people(600, "Ben")), {}),
        (listed(people(600)), {"template": "Ho {name}"}),
        (listed(["nobody,Ann"]), {}),
    ):
        with pytest.raises(RefusedByPolicy, match="content is another one"):
            await pushed(outbox, content, idempotency_key="june", **fields)
    assert await keys(outbox) == before


@pytest.mark.parametrize("key", [None, "june"])
async def test_twenty_pushes_at_once_are_one_campaign(outbox: Outbox, key: str | None) -> None:
    results = await asyncio.gather(*(pushed(outbox, listed(people(700)), idempotency_key=key) for _ in range(20)))
    assert len({result.campaign_id for result in results}) == 1
    assert [result.existing for result in results].count(False) == 1
    assert {result.accepted for result in results} == {700}
    assert len(await outbox.campaigns()) == 1
    assert len([name for name in await keys(outbox) if b":chunk:" in name]) == 2


async def test_pushes_at_once_with_one_key_and_other_contents_have_one_winner(outbox: Outbox) -> None:
    results = await asyncio.gather(
        *(pushed(outbox, listed(people(700, f"N{n}")), idempotency_key="june") for n in range(10)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["KeyTaken"] * 9 + ["PushResult"]
    assert len(await outbox.campaigns()) == 1
    assert len([name for name in await keys(outbox) if b":chunk:" in name]) == 2


class Torn(BytesIO):
    """A file whose disk fails somewhere in the middle."""

    def __init__(self, content: bytes, error: BaseException) -> None:
        super().__init__(content)
        self.error = error
        self.reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(20_000)
        self.reads += 1
        if not found:
            raise self.error
        return found


@pytest.mark.parametrize("error", [OSError("gone"), UnusableInput("bad"), MemoryError()])
async def test_a_crash_half_way_leaves_nothing_that_could_be_sent(
    outbox: Outbox, error: Exception, tmp_path: Path
) -> None:
    before = await keys(outbox)
    stream = Torn(listed(["nobody,Ann", *people(5000)]).encode(), error)
    request = PushRequest(PROFILE, template=HELLO, rejects_path=tmp_path / "rejects.csv")
    with pytest.raises(type(error)):
        await push(outbox, Settings(), request, open_source(stream))
    assert stream.reads > 3
    assert await keys(outbox) == before
    assert os.listdir(tmp_path) == []


async def test_a_push_that_is_cancelled_leaves_nothing(outbox: Outbox) -> None:
    before = await keys(outbox)
    admitted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless() -> Iterator[dict[str, object]]:
        for number in range(10**6):
            if number == 2000:
                loop.call_soon_threadsafe(admitted.set)
            if number > 100_000:
                return
            yield {"to": f"+1312{2_000_000 + number}", "name": "Ann"}

    request = PushRequest(PROFILE, template=HELLO)
    task = asyncio.create_task(push(outbox, Settings(), request, ObjectSource(endless())))
    await admitted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(outbox) == before


async def test_a_redis_that_is_full_or_behind_is_try_again_later_and_leaves_nothing(outbox: Outbox) -> None:
    outbox.ledger_bound = -1
    before = await keys(outbox)
    with pytest.raises(TryAgainLater, match="ledger is behind"):
        await pushed(outbox, listed(people(3000)))
    assert await keys(outbox) == before


async def test_no_row_left_means_no_campaign(outbox: Outbox, tmp_path: Path) -> None:
    before = await keys(outbox)
    result = await pushed(outbox, listed(["nobody,Ann", "+13125550000,"]), rejects_path=tmp_path / "no.csv")
    assert (result.campaign_id, result.accepted, result.rejected) == (None, 0, 2)
    assert await keys(outbox) == before
    assert len(list(csv.reader((tmp_path / "no.csv").open(newline="")))) == 3
    assert (await pushed(outbox, "to,name\n")).rows == 0


async def test_a_dry_run_counts_the_same_and_changes_nothing(outbox: Outbox, tmp_path: Path) -> None:
    await outbox.add_optouts(PROFILE, [13125550001])
    before = await keys(outbox)
    content = listed([*people(600), "+13125559998,ş", "nobody,Ann", "+13125550002,Again"])
    dry = await pushed(outbox, content, dry_run=True, rejects_path=tmp_path / "rejects.csv")
    assert await keys(outbox) == before
    assert os.listdir(tmp_path) == []
    wet = await pushed(outbox, content)
    assert dry.as_json() | {"campaign_id": wet.campaign_id, "forecast": None} == wet.as_json() | {"forecast": None}
    assert dry.forecast is not None
    assert dry.forecast["seconds"] == 200  # 600 parts at three senders of 1/s
    assert dry.forecast["unicode"][0]["rows"] == 1


async def test_a_profile_or_sender_that_is_not_there_says_what_to_run(outbox: Outbox) -> None:
    for fields in ({"profile": "absent"}, {"sender": "+12065559999"}):
        with pytest.raises(UnusableInput, match="volley numbers sync --profile"):
            await pushed(outbox, listed(people(1)), **fields)
    await outbox.sync_senders("resting", [Sender("+12065550199", "long_code", "resting", active=False)], None)
    with pytest.raises(UnusableInput, match="volley numbers sync --profile"):
        await pushed(outbox, listed(people(1)), profile="resting")


async def test_an_explicit_sender_may_be_spelled_as_people_do(outbox: Outbox) -> None:
    result = await pushed(outbox, listed(people(1)), sender="(206) 555-0101", region="US")
    view = await outbox.campaign(result.campaign_id or "")
    assert view is not None
    assert view.campaign.sender == "+12065550101"


async def test_a_campaign_expires_when_it_is_told_to(outbox: Outbox) -> None:
    moment = datetime.now(UTC) + timedelta(hours=1)
    result = await pushed(outbox, listed(people(1)), expires=moment)
    view = await outbox.campaign(result.campaign_id or "")
    assert view is not None
    assert view.campaign.expires_us == int(moment.timestamp() * 1_000_000)
    with pytest.raises(UnusableInput, match="over"):
        await pushed(outbox, listed(people(2)), expires=moment - timedelta(days=1))


async def test_a_worker_is_woken_once_for_a_new_campaign_and_its_absence_fails_nothing(outbox: Outbox) -> None:
    woken: list[str] = []

    async def arm(campaign: Campaign) -> None:
        woken.append(campaign.id)
        raise TryAgainLater("nobody there")

    request = PushRequest(PROFILE, template=HELLO)
    for _ in range(2):
        source = open_source(BytesIO(listed(people(1)).encode()))
        result = await push(outbox, Settings(), request, source, arm=arm)
    assert woken == [result.campaign_id]


async def test_a_producer_that_is_killed_leaves_no_campaign_and_may_push_again(
    outbox: Outbox, valkey: EmbeddedValkey, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "volley", "send", "-", "--profile", PROFILE, "--template", HELLO, "--yes"]
    environment = {**os.environ, "VOLLEY_REDIS_URL": valkey.url, "VOLLEY_ACCOUNT": "default"}
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    theirs = Outbox(outbox.redis, "default")
    await theirs.sync_senders(PROFILE, [Sender("+12065550100", "long_code", PROFILE, "US")], None)
    lines = listed([f"+1312{2_000_000 + number},Ann" for number in range(30_000)]).encode()
    process.stdin.write(lines)  # the file has not ended: the pipe stays open
    process.stdin.flush()
    while not [name for name in await keys(outbox) if b":chunk:" in name]:
        assert process.poll() is None
        await asyncio.sleep(0.02)
    process.kill()
    process.wait()
    process.stdin.close()
    assert await theirs.campaigns() == []
    assert not [name for name in await keys(outbox) if b":once:" in name or b":unplanned" in name or b":due" in name]
    assert (await pushed(theirs, lines)).accepted == 30_000


CELLS = st.one_of(
    st.sampled_from(["+13125550100", "+13125550101", "\u200f+13125550102", "Ann", "", '"', '"x', 'a"b', "é\ncé"]),
    st.sampled_from(["\r", "\0", "x" * 2000, "x" * 140_000]),
    st.text(max_size=20),
)


def as_csv(rows: list[list[str]]) -> bytes:
    return "\n".join(",".join(row) for row in [["to", "name"], *rows]).encode("utf-8", "replace")


def as_json_lines(rows: list[list[str]]) -> bytes:
    named = (dict(zip(("to", "name", "reference"), row, strict=False)) for row in [["+13125550103", "Ann"], *rows])
    plain = (
        orjson.dumps({key: value.encode("utf-8", "replace").decode() for key, value in row.items()}) for row in named
    )
    return b"\n".join([*plain, *("".join(row).encode("utf-8", "replace") for row in rows)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=3), max_size=8),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    written=st.sampled_from([as_csv, as_json_lines]),
    again=st.booleans(),
)
async def test_whatever_a_file_holds_every_row_is_accounted_for_or_nothing_is_taken(
    outbox: Outbox, rows: list[list[str]], mark: bytes, written: Callable[[list[list[str]]], bytes], again: bool
) -> None:
    before = {view.campaign.id for view in await outbox.campaigns()}
    try:
        result = await pushed(outbox, mark + written(rows), again=again)
    except UnusableInput:
        result = PushResult()
    new = {view.campaign.id for view in await outbox.campaigns()} - before
    assert len(new) == (0 if result.existing or not result.accepted else 1)
    for campaign_id in new:
        assert campaign_id == result.campaign_id
        assert sum(len(chunk) for chunk in await chunks(outbox, campaign_id)) == result.accepted
