"""Experiments by number, and what one run of one of them saw and found."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.chaos.oracle import Check

Body = Callable[["Run"], Awaitable[None]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Experiment:
    """`control` is the same with a protection off: it must go red, in one of the checks named `reds` (empty: in any)."""

    number: int
    title: str
    body: Body
    control: Body | None = None
    without: str = ""
    reds: tuple[str, ...] = ()


EXPERIMENTS: dict[int, Experiment] = {}


def experiment(
    number: int, title: str, *, control: Body | None = None, without: str = "", reds: tuple[str, ...] = ()
) -> Callable[[Body], Body]:
    """Registers an async function of a Run. `without` says in words which protection the control goes without."""

    def register(body: Body) -> Body:
        assert number not in EXPERIMENTS, f"experiment {number} is there twice"
        EXPERIMENTS[number] = Experiment(number, title, body, control, without, reds)
        return body

    return register


@dataclass(slots=True)
class Run:
    """What an experiment is given, and what it leaves: checks, figures, deeds. All its chances come from `dice`."""

    number: int
    seed: int
    scale: str
    control: bool = False
    dice: random.Random = field(init=False)
    settings: dict[str, Any] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.dice = random.Random(f"{self.seed}-{self.number}")

    @property
    def short(self) -> bool:
        return self.scale == "short"

    def pick(self, short: T, full: T) -> T:
        """The one that fits the scale."""
        return short if self.short else full

    def did(self, what: str) -> None:
        """Something was done to the system."""
        self.done.append(what)

    def expect(self, name: str, kept: bool, found: object) -> None:
        """One expectation beside the four checks."""
        self.checks.append(Check(name, kept, str(found)))

    def judged(self, checks: list[Check], case: str = "") -> None:
        """The four checks, of one case where an experiment has several."""
        self.checks += [Check(f"{each.name} {case}".strip(), each.kept, each.found) for each in checks]

    @property
    def red(self) -> list[Check]:
        return [check for check in self.checks if not check.kept]
