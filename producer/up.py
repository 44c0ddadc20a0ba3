"""`volley up`: everything on one machine. A Valkey of our own where none is given, then serve, then one worker, watched; and the
same for test keys, with a sandbox, where they have an account.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from producer.signals import run_until, stop_event
from producer.supervisor import Child, Supervisor, volley_command
from producer.trial import Trial
from producer.web.beside import AGAIN_S, Chore, going
from volley.embedded import EmbeddedValkey
from volley.ending import ended
from volley.errors import TryAgainLater, UnusableInput
from volley.pulse import without_manager
from volley.settings import Settings, redis_file

Tell = Callable[[str], None]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LOOK_S = 0.2


async def up(settings: Settings, tell: Tell) -> None:
    """Runs until SIGINT, SIGTERM or SIGHUP. Stops the worker first, then serve, then Valkey.

    Raises:
        UnusableInput: another `volley up` has this data folder, or a child refuses the settings.
        TryAgainLater: Valkey does not start.
    """
    stop = stop_event()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_alone(settings.home))
        make_secret(settings)
        trial = Trial(settings, tell) if settings.test_account else None
        if trial:
            stack.enter_context(trial.announced())
            settings.of_tests()
        await run_until(stop, asyncio.create_task(_run(settings, trial, stack, tell)))


async def _run(settings: Settings, trial: Trial | None, stack: contextlib.AsyncExitStack, tell: Tell) -> None:
    """Starts all, and never returns while all is well. May be cancelled, also while it starts; what runs by then is stopped by the
    `stack`, which no second signal interrupts."""
    valkey = await stack.enter_async_context(_redis(settings))
    family = Supervisor(tell, restarts=True, drain_s=settings.drain_seconds)
    children = await stack.enter_async_context(family)
    env = without_manager(os.environ) | ({"VOLLEY_REDIS_URL": valkey.url} if valkey else {})
    ours = (Child(name, volley_command(name), env) for name in ("serve", "worker"))
    for child in (*ours, *(trial.children(env) if trial else ())):
        await children.start(child)
    tell(f"up: http://{settings.serve_host}:{settings.serve_port}, data in {settings.home}; Ctrl-C stops it")
    tell("its page asks for a key: volley keys create --name me --scope read --scope ops")
    beside: list[Chore] = [partial(_keep, valkey, tell)] if valkey else []
    beside += [partial(trial.run, valkey.url if valkey else None)] if trial else []
    try:
        await watched(children, beside)
    except asyncio.CancelledError:
        tell("stopping: the worker finishes what is in flight")
        raise


async def watched(children: Supervisor, beside: Sequence[Chore], again_s: float = AGAIN_S) -> None:
    """Never returns while all is well; what goes on beside the children begins again when it fails. Raises VolleyError when a child
    refuses its settings."""
    chores = [asyncio.create_task(going(each, again_s)) for each in beside]
    try:
        await children.watch()
    finally:
        await ended(chores)


async def _keep(valkey: EmbeddedValkey, tell: Tell) -> None:
    """Starts Valkey again when it has ended: at its address, with its data, so that all others just wait for it."""
    pause_s = _FIRST_PAUSE_S
    while True:
        while valkey.process and valkey.process.poll() is None:  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(_LOOK_S)
        tell(f"valkey has ended; starting it again in {pause_s:g} s")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        try:
            await valkey.start()
        except TryAgainLater as error:
            tell(str(error))


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The data folder, for one `volley up` at a time."""
    try:
        # the ledger and Valkey's file hold numbers and texts; a folder that is there already is left as its owner made it
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (home / "up.lock").open("w")
    except OSError as error:
        raise UnusableInput(f"{home}: {error.strerror}; VOLLEY_HOME names the data folder") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnusableInput(f"another volley up runs in {home}; stop it, or set VOLLEY_HOME") from None
        yield


def make_secret(settings: Settings) -> None:
    """References in webhook URLs need a secret that stays the same: made once, kept in the secrets folder."""
    if settings.secret is None:
        folder = settings.home / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(folder / "secret", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))


@contextlib.asynccontextmanager
async def _redis(settings: Settings) -> AsyncIterator[EmbeddedValkey | None]:
    """A Valkey whose address the other commands find in the data folder; None where Redis is somebody else's."""
    address = redis_file(settings.home)
    address.unlink(missing_ok=True)  # of one that was killed; nobody else is here, we hold the lock
    if settings.current.redis_url:
        yield None
        return
    async with EmbeddedValkey(settings.home / "valkey") as valkey:
        address.write_text(valkey.url, "utf-8")
        try:
            yield valkey
        finally:
            address.unlink(missing_ok=True)
