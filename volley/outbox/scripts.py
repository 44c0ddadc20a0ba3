"""The Lua scripts: loaded from files, run by their hash, and where it matters followed by the durability barrier."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, Final

from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from volley.errors import TryAgainLater
from volley.outbox.client import Redis
from volley.outbox.keys import Keys

BARRIER_MS: Final = 200
_FLAGS = "--!flags "
_SHARED = ("lib", "lanes")
_STANDS_ON: Final = {
    "take": ("turns", "hours", "budget", "asleep", "lines"),
    "repeat": ("turns", "hours", "budget"),
    "settle": ("budget",),
    "reassert": ("budget",),
    "following": ("hours",),
    "reap": ("poison",),
    "forget": ("poison",),
    "admit": ("room",),
    "seal": ("room", "terms"),
    "rebuild": ("terms",),
    "change": ("terms",),
    "optouts": ("words",),
    "optins": ("words",),
    "inbound": ("words",),
}

Argument = str | bytes | int | float
Call = tuple[str, *tuple[Argument, ...]]
"""A script and its arguments."""


class BarrierFailed(TryAgainLater):
    """What the script wrote is not known to be on the disk: nothing may be sent or acknowledged on its strength."""


def source(name: str) -> str:
    """A script as the server gets it: its flags, what all share, what it alone stands on, itself."""
    folder = resources.files("volley.outbox") / "lua"
    text = (folder / f"{name}.lua").read_text("utf-8")
    flags = next((line.removeprefix(_FLAGS) for line in text.splitlines() if line.startswith(_FLAGS)), "")
    shebang = f"#!lua flags={flags}\n" if flags else "#!lua\n"
    shared = (*_SHARED, *_STANDS_ON.get(name, ()))
    return shebang + "".join((folder / f"{each}.lua").read_text("utf-8") for each in shared) + text


def names() -> list[str]:
    folder = resources.files("volley.outbox") / "lua"
    parts = {*_SHARED, *(part for parts in _STANDS_ON.values() for part in parts)}
    files = {file.name.removesuffix(".lua") for file in folder.iterdir() if file.name.endswith(".lua")}
    return sorted(files - parts)


class Scripts:
    """Runs scripts on one account's keys.

    `durable` adds WAITAOF, and with `replicas` also WAIT, in the same non-transactional pipeline, on the same connection: on
    another connection, inside Lua or in MULTI they say yes at once and mean nothing. `relaxed` servers have no append-only file
    and no barrier.
    """

    def __init__(self, client: Redis, keys: Keys, *, relaxed: bool = False, replicas: int = 0) -> None:
        self.client = client
        self.keys = keys
        self.relaxed = relaxed
        self.replicas = replicas
        self.calls = 0
        self._directory = [key.encode() for key in keys.directory]
        self._sources = {name: source(name) for name in names()}
        self._hashes = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in self._sources.items()}

    def _command(self, name: str, arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
        return ("EVALSHA", self._hashes[name], len(self._directory), *self._directory, *arguments)

    async def run(self, name: str, *arguments: Argument) -> Any:
        """The script's answer. Redis errors pass through."""
        self.calls += 1
        try:
            return await self.client.execute_command(*self._command(name, arguments))
        except NoScriptError:
            await self.client.script_load(self._sources[name])
            return await self.client.execute_command(*self._command(name, arguments))

    async def durable(self, name: str, *arguments: Argument) -> Any:
        """The script's answer, once what it wrote is on the disk, and with so many replicas.

        Raises:
            BarrierFailed: it ran, and nobody knows whether it is there.
            RedisError: it may or may not have run.
        """
        [answer] = await self.durable_all((name, *arguments))
        return answer

    async def durable_all(self, *calls: Call) -> list[Any]:
        """The answers of several scripts in one step, run one after the other; raises as `durable` does.

        Where the server does not know one of them, it and those behind it run anew, and must bear that.
        """
        if self.relaxed:
            return [await self.run(*each) for each in calls]
        answers, reached = await self._pipeline(calls)
        unknown = next((n for n, each in enumerate(answers) if isinstance(each, NoScriptError)), len(calls))
        if unknown < len(calls):
            if unknown:
                self._check(answers[:unknown], reached)
            for name, *_ in calls[unknown:]:
                await self.client.script_load(self._sources[name])
            more, reached = await self._pipeline(calls[unknown:])
            answers[unknown:] = more
        self._check(answers, reached)
        return answers

    def _check(self, answers: list[Any], reached: list[Any]) -> None:
        for each in answers:
            if isinstance(each, RedisError):
                raise each
        self._check_barrier(*reached)

    def _check_barrier(self, synced: Any, copies: Any = 0) -> None:
        if isinstance(synced, RedisError) or synced[0] < 1:
            raise BarrierFailed(f"Redis did not confirm within {BARRIER_MS} ms that a write is on its disk")
        if isinstance(copies, RedisError) or copies < self.replicas:
            raise BarrierFailed(f"not {self.replicas} replicas of Redis confirmed a write within {BARRIER_MS} ms")

    async def _pipeline(self, calls: tuple[Call, ...]) -> tuple[list[Any], list[Any]]:
        """What the scripts answered; and WAITAOF, with replicas also WAIT."""
        self.calls += len(calls) + 1
        pipeline = self.client.pipeline(transaction=False)
        for name, *arguments in calls:
            pipeline.execute_command(*self._command(name, tuple(arguments)))
        pipeline.execute_command("WAITAOF", 1, 0, BARRIER_MS)
        if self.replicas:
            pipeline.execute_command("WAIT", self.replicas, BARRIER_MS)
        found = await pipeline.execute(raise_on_error=False)
        return found[: len(calls)], found[len(calls) :]


@contextmanager
def reaching() -> Iterator[None]:
    """Redis errors inside leave as what the caller can do about them."""
    try:
        yield
    except OutOfMemoryError as error:
        raise TryAgainLater(
            "Redis has no memory left, and takes nothing more: give it more (maxmemory), or wait until what it holds has been sent"
        ) from error
    except RedisError as error:
        reason = str(error).split("\n")[0][:120] or type(error).__name__
        raise TryAgainLater(f"Redis is away or refuses: {reason}; try again later") from error
