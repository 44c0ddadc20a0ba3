"""What became of a campaign, through the client: its messages, as pages and as a file; its terms changed while it runs."""

import csv
from pathlib import Path

import pytest

from producer.client import AsyncClient, Client, NotFound
from tests.flow.api.conftest import PROFILE, Office
from tests.flow.api.test_client import HASTY, people
from tests.flow.cli.conftest import wait_until


def recorded(volley: Client, campaign_id: str) -> int:
    try:
        return sum(1 for _ in volley.messages_of(campaign_id, page_size=2))
    except NotFound:
        return 0


async def test_messages_come_page_by_page_and_as_a_file_and_terms_change(office: Office, tmp_path: Path) -> None:
    with Client(office.url, office.key, retries=HASTY) as volley:
        campaign = volley.push(people(4000, 5), profile=PROFILE, template="Hi {name}", budget=3, rate=2.5).id
        wait_until(lambda: recorded(volley, campaign) == 5)
        references = [each.reference for each in volley.messages_of(campaign, page_size=2)]
        assert references == ["r0", "r1", "r2", "r3", "r4"]
        assert [each.to for each in volley.messages_of(campaign, status="delivered")] == []
        volley.export(campaign, tmp_path / "all.csv")
        with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
            assert [row["reference"] for row in csv.DictReader(file)] == references
        assert volley.change(campaign, priority="urgent", rate=None).priority == "urgent"
        assert volley.retry(campaign).messages == 0
    async with AsyncClient(office.url, office.key, retries=HASTY) as twin:
        assert [each.reference async for each in twin.messages_of(campaign, page_size=2)] == references
        await twin.export(campaign, tmp_path / "all.jsonl", form="jsonl")
        with (tmp_path / "all.jsonl").open(encoding="utf-8") as file:
            assert len(file.readlines()) == 5
        assert (await twin.change(campaign, priority="bulk")).priority == "bulk"
        assert (await twin.retry(campaign)).messages == 0
        with pytest.raises(NotFound):
            await twin.export("0123456789abcdef", tmp_path / "none.csv")
