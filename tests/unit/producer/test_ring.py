"""Keys in memory: known ones work while the database is away, and one that cannot be looked up is not called unknown."""

import time
from dataclasses import replace

import pytest

from producer.access.keys import ApiKey, make
from producer.access.ring import KeyRing
from volley.errors import TryAgainLater


class Register:
    """Keys as a database has them that may be away."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = list(keys)
        self.away = False

    async def load(self) -> list[ApiKey]:
        if self.away:
            raise ConnectionError("nobody answers")
        return self.keys


def new() -> tuple[ApiKey, str, int]:
    now_us = time.time_ns() // 1000
    key, token = make("default", "a test", frozenset({"read"}), now_us)
    return key, token, now_us


async def test_a_key_that_cannot_be_looked_up_is_asked_for_again_and_not_refused_for_good() -> None:
    key, token, now_us = new()
    register = Register(key)
    register.away = True
    ring = KeyRing(register.load)
    with pytest.raises(TryAgainLater):
        await ring.find(token, now_us)
    register.away = False
    assert await ring.find(token, now_us) == key
    register.away = True
    assert await ring.find(token, now_us) == key
    with pytest.raises(TryAgainLater):
        await ring.find(new()[1], now_us)
    register.away = False
    assert await ring.find(new()[1], now_us) is None


async def test_who_was_let_in_is_still_let_in_as_long_as_their_key_is_good() -> None:
    key, token, now_us = new()
    register = Register(key)
    ring = KeyRing(register.load)
    found = await ring.find(token, now_us)
    assert found is not None
    assert ring.holds(found, now_us)
    for ended in ({"expires_us": now_us + 10}, {"revoked_us": now_us}):
        register.keys = [replace(key, **ended)]
        await ring.find(new()[1], now_us)  # makes it look
        assert ring.holds(found, now_us + 9) == ("expires_us" in ended)
        assert not ring.holds(found, now_us + 10)
    register.keys = []
    await ring.find(new()[1], now_us)
    assert not ring.holds(found, now_us)
