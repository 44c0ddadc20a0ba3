"""With 1,200 open campaigns the page shows what a person can look at, tells of the others, and is told no more than it shows."""

import json
import urllib.request

import pytest

from tests.flow.cli.conftest import wait_until
from tests.redis.conftest import chunk_of, people
from tests.web.conftest import Browser, Shop
from volley.campaign import Campaign, new_campaign_id
from volley.outbox.chunks import encode
from volley.outbox.outbox import Outbox
from volley.sandbox.config import PROFILE_ID

STILL = True
MANY = 1_200


@pytest.fixture(scope="module")
def crowd(shop: Shop) -> Shop:
    async def fill(outbox: Outbox) -> None:
        blob = encode(chunk_of(people(10)))
        for _ in range(MANY):
            campaign = Campaign(new_campaign_id(), PROFILE_ID, "hello", accepted=10, parts=10, chunks=1)
            await outbox.begin(campaign.id)
            await outbox.admit(campaign.id, 0, blob, 10)
            await outbox.seal(campaign, key_ttl_s=60)

    shop.outbox(fill)
    wait_until(lambda: json.loads(told(shop, 1).removeprefix(b"data: "))["total"]["campaigns"] >= MANY)
    return shop


def told(shop: Shop, most: int) -> bytes:
    """The first snapshot of a stream, as it comes."""
    url = f"{shop.url}/v1/facts/stream?campaigns={most}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {shop.key}"})
    with urllib.request.urlopen(request, timeout=30) as stream:
        while not stream.readline().startswith(b"event: facts"):
            pass
        return bytes(stream.readline())


def test_what_is_told_is_what_is_shown(crowd: Shop) -> None:
    first = told(crowd, 50)
    facts = json.loads(first.removeprefix(b"data: "))
    assert (len(facts["campaigns"]), facts["total"]["campaigns"]) == (50, MANY)
    assert len(first) < 100_000
    assert len(told(crowd, 500)) < 600_000


def test_the_list_is_bounded_and_says_how_many_there_are(crowd: Shop, browser: Browser) -> None:
    browser.open(crowd.a_key("read", "ops"))
    browser.sees("#open-ones", f"Open {MANY:,}")
    assert len(browser.all("[data-id]")) == 50
    assert "1,150 more" in browser.text("#more-campaigns")
    for shown in (150, 250, 350, 450, 500):
        browser.press("#more-campaigns")
        browser.comes(lambda: len(browser.all("[data-id]")) == shown, f"{shown} of them")  # noqa: B023 - it is used at once
    browser.comes(lambda: not browser.text("#more-campaigns"), "there is an end to it")
    assert browser.script("return document.getElementsByTagName('*').length") < 20_000


def test_all_of_them_can_be_gone_through_page_by_page(crowd: Shop, browser: Browser) -> None:
    browser.open(crowd.a_key("read"))
    browser.press("#all-ones")
    browser.comes(lambda: len(browser.all("[data-id]")) == 50, "a page of them")
    browser.press("#more-campaigns")
    browser.comes(lambda: len(browser.all("[data-id]")) == 100, "another page")
    names = [each.get_attribute("data-id") for each in browser.all("[data-id]")]
    assert len(set(names)) == 100


def test_one_of_them_can_be_acted_on_and_leaves_the_list(crowd: Shop, browser: Browser) -> None:
    browser.open(crowd.a_key("read", "ops"))
    campaign = str(browser.one("[data-id]").get_attribute("data-id"))
    browser.act(campaign, "pause")
    browser.sees(f'[data-id="{campaign}"]', "paused")
    browser.act(campaign, "resume")
    browser.sees(f'[data-id="{campaign}"] .mark', "ready")
