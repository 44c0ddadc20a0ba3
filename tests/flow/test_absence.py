"""A push that names a sender which cannot serve it is told why, and what to do."""

from io import BytesIO

import pytest
import redis.asyncio

from producer.intake import PushRequest, push
from producer.push.absence import absence
from producer.push.sources import open_source
from volley.errors import UnusableInput
from volley.outbox.outbox import Outbox
from volley.sender import Sender
from volley.settings import Settings

MINE, OTHER = "40017b3d-0000-4000-8000-000000000001", "40017b3d-0000-4000-8000-000000000002"
READY, SICK, THEIRS = "+12065550100", "+12065550101", "+12065550102"


@pytest.fixture
async def outbox(db: redis.asyncio.Redis) -> Outbox:
    found = Outbox(db, "test")
    sick = Sender(SICK, "long_code", MINE, "US", active=False, reason="not enabled for SMS")
    mine = [Sender(READY, "long_code", MINE, "US"), sick, Sender("ACME", "alphanumeric", MINE, reach="!US")]
    await found.sync_senders(MINE, mine)
    await found.sync_senders(OTHER, [Sender(THEIRS, "long_code", OTHER, "US")])
    return found


CASES = [
    (SICK, ["cannot send (not enabled for SMS)", f"volley numbers doctor '{SICK}' --profile {MINE}"]),
    ("206 555 0101", ["cannot send (not enabled for SMS)"]),
    (THEIRS, [f"in that of {OTHER}"]),
    ("+12065550199", ["is not in the pool", f"volley numbers sync --profile {MINE}"]),
    ("12345", ["is not in the pool", "volley numbers sync"]),
    ("Acme", ["in this spelling", "'ACME'"]),
    ("Brand", ["volley numbers assign 'Brand' --profile", "volley numbers sync"]),
    ("ACME-SHOP", ["1 to 11 Latin letters, digits and spaces, at least one letter"]),
    ("Grüße", ["1 to 11 Latin letters"]),
]


@pytest.mark.parametrize(("name", "words"), CASES)
async def test_it_is_told_why(outbox: Outbox, name: str, words: list[str]) -> None:
    said = str(await absence(outbox, MINE, name, "US"))
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("name", [SICK, THEIRS, "Brand", "Acme"])
async def test_nothing_is_pushed(outbox: Outbox, name: str) -> None:
    request = PushRequest(profile=MINE, text="hi", sender=name)
    with pytest.raises(UnusableInput, match="volley numbers"):
        await push(outbox, Settings(), request, open_source(BytesIO(b"to\n+13125550101\n"), "list.csv"))
    assert await outbox.campaigns() == []


async def test_a_sender_that_left_the_profile_is_told_so(outbox: Outbox) -> None:
    await outbox.sync_senders(MINE, [Sender("ACME", "alphanumeric", MINE)])
    assert "no longer in the profile" in str(await absence(outbox, MINE, READY))
