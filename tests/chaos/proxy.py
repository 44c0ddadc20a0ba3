"""A TCP proxy that does to a connection what networks do: delay, cut, hold back, swallow, close one half, refuse.

It stands between two parts, in a process of its own (wire.py) that waits for none of our work, and can be told another way at
any moment. Bytes, not protocols: it neither knows nor cares who talks through it.
"""

import json
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Way:
    """What happens to bytes in one direction.

    `delay_s` every byte comes so much later. `cut_after` so many bytes of each connection pass (counted from the moment
    at which this way was set), then it ends: `fin` and `rst` close both sides, `half` closes this direction only.
    `hold` is a network that is away: nothing passes, and all of it comes when the way is clear again. `swallow`: nothing
    passes, and what was swallowed never comes.
    """

    delay_s: float = 0.0
    cut_after: int | None = None
    end: Literal["fin", "rst", "half"] = "rst"
    hold: bool = False
    swallow: bool = False


CLEAR = Way()


class Proxy:
    """Listens on `port` of the loopback and connects to `target`. `there` is client → server, `back` the other direction.

    Start it with `start`, or use it as a context manager. Every method may be called from any thread, and returns when the
    process has done what it says. The process ends with us, however we end.
    """

    def __init__(self, target: tuple[str, int], *, port: int = 0) -> None:
        self.target = target
        self.port = port
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> Self:
        words = [sys.executable, "-m", "tests.chaos.wire", self.target[0], str(self.target[1]), str(self.port)]
        self._process = subprocess.Popen(
            words, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.accept()
        return self

    def stop(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        with process:  # the end of its input is the end of it
            pass

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # what it does from now on

    def set(self, there: Way = CLEAR, back: Way = CLEAR) -> None:
        """For lines that are open and those to come; counts of bytes begin anew."""
        self._ask("set", there=asdict(there), back=asdict(back))

    def clear(self) -> None:
        """All passes again, and what was held comes."""
        self.set()

    def reset_all(self) -> None:
        """RST to both ends of every open line."""
        self._ask("reset_all")

    def refuse(self) -> None:
        """Nobody listens there any more: connections are refused. Open lines go on."""
        self._ask("refuse")

    def dead_end(self) -> None:
        """No answer to a SYN: who connects waits until its own patience ends. Open lines go on."""
        self._ask("dead_end")

    def accept(self) -> None:
        """Listens again, after `refuse` or `dead_end`."""
        self.port = int(self._ask("accept")["port"])

    def _ask(self, what: str, **how: object) -> dict[str, Any]:
        with self._turn:
            if self._process is None:
                raise RuntimeError("the proxy was not started")
            answer = _answer(self._process, json.dumps({"what": what, **how}))
        if not answer:
            raise RuntimeError("the proxy has ended")
        told: dict[str, Any] = json.loads(answer)
        if "error" in told:
            raise OSError(told["error"])
        return told


def _answer(process: subprocess.Popen[str], order: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(order + "\n")
    process.stdin.flush()
    return process.stdout.readline()
