"""Child processes in order: started one after the other, restarted when they crash, stopped in reverse, none left behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from volley.errors import UnusableInput, VolleyError
from volley.offspring import ends_with_parent
from volley.settings import DRAIN_SECONDS

MARGIN_S = 5.0
"""How much longer than `drain_seconds` a child is waited for after SIGTERM, before it is killed."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0


def volley_command(*words: str) -> list[str]:
    """This program again, with other words."""
    return [sys.executable, "-m", "volley", *words]


@dataclass(slots=True)
class Child:
    """One process under supervision. `log`: where its output goes, None for ours. `cwd`: its working folder."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path | None = None
    cwd: Path | None = None
    process: asyncio.subprocess.Process | None = None
    started: float = 0.0
    pause_s: float = field(default=_FIRST_PAUSE_S)

    async def start(self) -> None:
        self.started = time.monotonic()
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self.log.open("ab")) if self.log else None
            # a session of its own: Ctrl-C on the terminal reaches us alone, and we stop the children in order
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=dict(self.env),
                cwd=self.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=ends_with_parent(),
            )

    async def stop(self, patience_s: float = DRAIN_SECONDS + MARGIN_S) -> int | None:
        """SIGTERM, time to finish, then SIGKILL for the whole group. Returns the exit code."""
        process = self.process
        if process is None:
            return None
        if process.returncode is None:
            self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience_s):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            self.kill()

    def kill(self) -> None:
        """Whatever is left of the child and its own children."""
        self._signal(signal.SIGKILL)
        self.process = None

    def _signal(self, signum: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signum)


class Supervisor:
    """Keeps children running; an async context manager that stops them in reverse order.

    With `restarts`, a child that ends is started again after a pause that doubles up to half a minute; one that says its
    settings are unusable (exit code 2) is not. Without, the first child that ends is an error. `drain_s`: how long each may take
    to end by itself once it is told to.
    """

    def __init__(self, tell: Callable[[str], None], *, restarts: bool, drain_s: float = DRAIN_SECONDS) -> None:
        self.children: list[Child] = []
        self._patience_s = drain_s + MARGIN_S
        self._tell = tell
        self._restarts = restarts

    async def start(self, child: Child) -> None:
        """Starts one more; it is stopped before all that were started earlier."""
        await child.start()
        self.children.append(child)

    async def watch(self) -> None:
        """Never returns while all is well.

        Raises:
            UnusableInput: a child refuses its settings.
            VolleyError: a child ended, where none is restarted.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for child in self.children:
                    group.create_task(self._keep(child))
        except* VolleyError as errors:
            raise _first(errors) from None

    async def _keep(self, child: Child) -> None:
        while child.process is not None:
            code = await child.process.wait()
            if code == UnusableInput.exit_code:
                raise UnusableInput(f"{child.name} cannot start with these settings; its own words stand above")
            if not self._restarts:
                raise VolleyError(f"{child.name} ended with {code}{_tail(child.log)}")
            await self._again(child, code)

    async def _again(self, child: Child, code: int) -> None:
        if time.monotonic() - child.started > _STEADY_S:
            child.pause_s = _FIRST_PAUSE_S
        self._tell(f"{child.name} ended with {code}; starting it again in {child.pause_s:g} s")
        await asyncio.sleep(child.pause_s)
        child.pause_s = min(child.pause_s * 2, _LONGEST_PAUSE_S)
        try:
            await child.start()
        except OSError as error:  # no process or descriptor to be had just now; the others go on
            self._tell(f"{child.name} cannot be started: {error}")

    async def stop(self) -> None:
        """Ends all children, the last one first; at once if we are interrupted meanwhile."""
        try:
            while self.children:
                child = self.children[-1]
                code = await child.stop(self._patience_s)
                self.children.pop()
                if code != 0:
                    self._tell(f"{child.name} ended with {code}{_tail(child.log)}")
        finally:
            for child in self.children:
                child.kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _first(errors: BaseExceptionGroup[VolleyError]) -> VolleyError:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    assert isinstance(first, VolleyError)
    return first


def _tail(log: Path | None) -> str:
    """The last words of a child's own log."""
    if log is None or not log.is_file():
        return ""
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return f": {lines[-1][:300]}" if lines else ""
