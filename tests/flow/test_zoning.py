"""Quiet hours at intake: whoever may get something at the same moments is in the same chunk, and who never may is told why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis.asyncio

from producer.push.rejects import Rejects
from producer.push.request import PushRequest
from producer.push.rows import Rows
from producer.push.sources import ObjectSource
from producer.push.zoning import Zoning, zoning
from tests.flow.test_intake import HELLO, PROFILE, chunks, outbox, pushed
from volley.campaign import Campaign
from volley.errors import KeyTaken, UnusableInput
from volley.outbox.outbox import Outbox
from volley.settings import Settings

__all__ = ["outbox"]
NIGHT = "21:00-08:00"
EAST, WEST, HAWAII = "+1212555{:04d}", "+1310555{:04d}", "+1808555{:04d}"


def listed(*lines: str, header: str = "to,name") -> str:
    return "\n".join([header, *lines, ""])


async def campaign(outbox: Outbox, campaign_id: str | None) -> Campaign:
    view = await outbox.campaign(campaign_id or "")
    assert view is not None
    return view.campaign


def ahead(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


async def test_chunks_are_cut_by_when_their_people_may_get_something(outbox: Outbox) -> None:
    rows = [place.format(n) + ",Ann" for n in range(300) for place in (EAST, WEST, EAST)]
    result = await pushed(outbox, listed(*rows), quiet_hours=NIGHT, expires=ahead(3))
    made, held = await campaign(outbox, result.campaign_id), await chunks(outbox, result.campaign_id)
    assert result.duplicates == 300
    assert made.quiet_hours == NIGHT
    assert made.zones == ("America/New_York", "America/Los_Angeles")
    heads = [{str(number)[:4] for number in chunk.to} for chunk in held]
    assert [made.zones[group] for group in made.chunk_zones] == [
        "America/New_York" if head == {"1212"} else "America/Los_Angeles" for head in heads
    ]
    assert sum(map(len, held)) == made.accepted == 600


async def test_a_full_chunk_of_one_zone_does_not_wait_for_another(outbox: Outbox) -> None:
    rows = [EAST.format(n) + ",Ann" for n in range(700)] + [HAWAII.format(1) + ",Ann"]
    result = await pushed(outbox, listed(*rows), quiet_hours=NIGHT)
    assert sorted(len(chunk) for chunk in await chunks(outbox, result.campaign_id)) == [1, 200, 500]


async def test_the_zone_column_wins_and_its_faults_are_rows_of_their_own(outbox: Outbox) -> None:
    lines = [EAST.format(1) + ",Ann,Asia/Tokyo", EAST.format(2) + ",Ben,", EAST.format(3) + ",Cem,Nowhere/Land"]
    result = await pushed(outbox, listed(*lines, header="to,name,zone"), quiet_hours=NIGHT)
    assert (result.accepted, result.rejected) == (2, 1)
    assert "IANA" in result.examples[0].reason
    assert set((await campaign(outbox, result.campaign_id)).zones) == {"Asia/Tokyo", "America/New_York"}


async def test_who_never_may_get_something_is_told_what_to_do(outbox: Outbox) -> None:
    """Mobiles of Russia may be in eleven zones."""
    lines = ["+79161234567,Ann", EAST.format(1) + ",Ben"]
    result = await pushed(outbox, listed(*lines), quiet_hours="18:00-11:00")
    assert (result.accepted, result.rejected) == (1, 1)
    assert "add a column `zone`" in result.examples[0].reason
    start = ahead(0.1).replace(minute=5)  # nobody's clock there shows a minute to midnight in the quarter after
    late = await pushed(
        outbox, listed(*lines), quiet_hours="00:00-23:59", start=start, expires=start + timedelta(minutes=15)
    )
    assert late.accepted == 0


async def test_quiet_hours_do_not_make_another_push_of_the_same_rows(outbox: Outbox) -> None:
    rows = [place.format(n) + ",Ann" for n in range(600) for place in (EAST, WEST, HAWAII)]
    first = await pushed(outbox, listed(*rows), idempotency_key="k", quiet_hours=NIGHT)
    for asked in ({"quiet_hours": "20:00-09:00"}, {}):
        again = await pushed(outbox, listed(*rows), idempotency_key="k", **asked)  # type: ignore[arg-type]
        assert (again.campaign_id, again.existing) == (first.campaign_id, True)
    assert (await pushed(outbox, listed(*rows), quiet_hours=NIGHT)).campaign_id != first.campaign_id


async def test_the_same_rows_with_other_zones_are_another_push_and_with_none_the_same(outbox: Outbox) -> None:
    """A file whose wrong zones were put right is to be sent by the right ones, or said to be another."""

    def rows(*zones: str) -> str:
        return listed(*(EAST.format(n) + f",Ann,{zone}" for n, zone in enumerate(zones)), header="to,name,zone")

    wrong = await pushed(outbox, rows("Asia/Tokyo", ""), quiet_hours=NIGHT)
    right = await pushed(outbox, rows("", "Asia/Tokyo"), quiet_hours=NIGHT)
    assert not right.existing
    assert (await pushed(outbox, rows("Asia/Tokyo", ""), quiet_hours=NIGHT)).campaign_id == wrong.campaign_id
    without = await pushed(outbox, listed(EAST.format(0) + ",Ann", EAST.format(1) + ",Ann"), quiet_hours=NIGHT)
    assert (await pushed(outbox, rows("", " "), quiet_hours=NIGHT)).campaign_id == without.campaign_id
    await pushed(outbox, rows("Asia/Tokyo"), quiet_hours=NIGHT, idempotency_key="k")
    with pytest.raises(KeyTaken):
        await pushed(outbox, rows("Europe/Berlin"), quiet_hours=NIGHT, idempotency_key="k")


def test_the_zone_of_an_object_is_read_where_there_are_hours() -> None:
    source = ObjectSource([{"to": EAST.format(1), "zone": "Europe/Berlin"}, {"to": EAST.format(2)}])
    request = PushRequest(PROFILE, text="x", quiet_hours=NIGHT)
    zones = zoning(request, Settings(), 0)
    assert zones is not None
    rows = Rows(source, request, Settings(), Rejects(None, source.titles), None, zones)
    groups = set()
    while (batch := rows.batch()) is not None:
        groups.add((batch.group, len(batch.to)))
    assert len(groups) == 2
    assert set(zones.groups) == {"Europe/Berlin", "America/New_York"}


def test_the_accounts_hours_hold_where_a_push_says_nothing() -> None:
    own = Settings(quiet_hours=NIGHT)
    assert zoning(PushRequest(PROFILE, text="x"), own, 0) is not None
    assert zoning(PushRequest(PROFILE, text="x", quiet_hours="none"), own, 0) is None
    assert zoning(PushRequest(PROFILE, text="x"), Settings(), 0) is None
    with pytest.raises(UnusableInput, match="21:00-08:00"):
        PushRequest(PROFILE, text="x", quiet_hours="9 to 5")
    with pytest.raises(ValueError, match="21:00-08:00"):
        Settings(quiet_hours="9 to 5")


async def test_hours_with_a_blank_before_them_never_count_as_none(outbox: Outbox) -> None:
    """The scripts take terms word by word: a blank made of these hours that there are none."""
    result = await pushed(outbox, listed(EAST.format(1) + ",Ann"), quiet_hours=NIGHT)
    for wrong in (f" {NIGHT}", f"\t{NIGHT}", f"{NIGHT} "):
        with pytest.raises(UnusableInput, match=NIGHT):
            await pushed(outbox, listed(EAST.format(2) + ",Ann"), quiet_hours=wrong)
        with pytest.raises(UnusableInput, match=NIGHT):
            await outbox.change(result.campaign_id or "", quiet_hours=wrong)
        with pytest.raises(ValueError, match=NIGHT):
            Settings(quiet_hours=wrong)
    assert (await campaign(outbox, result.campaign_id)).quiet_hours == NIGHT


def test_what_the_carrier_keeps_must_not_come_in_the_night() -> None:
    noon = int(datetime(2030, 6, 1, 16, tzinfo=UTC).timestamp())
    found: dict[str, Any] = {}
    for name, number in (("east", 12125550100), ("tokyo", 819012345678)):
        try:
            found[name] = Zoning(NIGHT, noon - 86400, noon, noon).group_of(number, None)
        except ValueError as error:
            found[name] = str(error)
    assert found == {"east": 0, "tokyo": "the moment at which it is to go lies in its quiet hours"}


async def test_a_template_still_names_what_the_rows_have(outbox: Outbox, db: redis.asyncio.Redis) -> None:
    result = await pushed(outbox, listed(EAST.format(1) + ",Ann"), quiet_hours=NIGHT, template=HELLO + " {name}")
    assert (await chunks(outbox, result.campaign_id))[0].values == [["Ann"]]
