"""The numbers that a sandbox has: made from the ranges reserved for fiction (NANP 555-01XX), and the choice among them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from volley.errors import UnusableInput
from volley.sandbox.config import NumberPool, Pool, ProfileSpec, SandboxConfig
from volley.sandbox.limits import Bucket
from volley.sandbox.replies import Refusal
from volley.sender import SenderType

AREA_CODES = (Path(__file__).parent / "area_codes.txt").read_text("utf-8").split()
TOLL_FREE_CODES = ("800", "833", "844", "855", "866", "877", "888")


@dataclass(slots=True)
class SandboxNumber:
    """One sender. `template` is its answer to a send, filled in by payload.py at the first one."""

    index: int
    number: str
    type: SenderType
    id: str
    profile: "SandboxProfile | None"
    bucket: Bucket | None
    healthy: bool = True
    template: bytes = b""

    @property
    def profile_if_plain(self) -> "SandboxProfile | None":
        """Its profile, where nothing about number, profile or destination can refuse a send."""
        profile = self.profile
        if profile is None or not self.healthy or self.type == "alphanumeric":
            return None
        return profile if profile.spec.enabled and "*" in profile.spec.whitelisted_destinations else None


@dataclass(slots=True)
class SandboxProfile:
    """A profile, its numbers, and what the number pool remembers."""

    spec: ProfileSpec
    numbers: list[SandboxNumber] = field(default_factory=list)
    pins: dict[str, SandboxNumber] = field(default_factory=dict)
    turns: dict[SenderType, int] = field(default_factory=dict)
    given: dict[SenderType, int] = field(default_factory=dict)

    def choose(self, to: str) -> SandboxNumber:
        """A number for a send without `from`: sticky, area code, then the weights of the types, each type in turn."""
        settings = self.spec.number_pool
        if settings is None:
            raise Refusal("40321")
        usable = [each for each in self.numbers if _weight(each, settings) > 0]
        if settings.skip_unhealthy:
            usable = [each for each in usable if each.healthy]
        if not usable:
            raise Refusal("40321")
        pinned = self.pins.get(to)
        if settings.sticky_sender and pinned in usable:
            return pinned
        near = [each for each in usable if each.number[:5] == to[:5]] if settings.geomatch and to[:2] == "+1" else []
        chosen = self._next(near or usable, settings)
        if settings.sticky_sender:
            self.pins[to] = chosen
        return chosen

    def _next(self, usable: list[SandboxNumber], settings: NumberPool) -> SandboxNumber:
        weights = {each.type: _weight(each, settings) for each in usable}
        kind = min(weights, key=lambda each: (self.given.get(each, 0) + 1) / weights[each])
        self.given[kind] = self.given.get(kind, 0) + 1
        row = [each for each in usable if each.type == kind]
        turn = self.turns.get(kind, 0)
        self.turns[kind] = turn + 1
        return row[turn % len(row)]


def _weight(number: SandboxNumber, settings: NumberPool) -> float:
    """Short codes and alphanumeric IDs are in no pool."""
    return {"long_code": settings.long_code_weight, "toll_free": settings.toll_free_weight}.get(number.type, 0)


class Numbers:
    """All profiles and senders of a sandbox, and ways to find them."""

    def __init__(self, config: SandboxConfig) -> None:
        self.all: list[SandboxNumber] = []
        self.profiles = {spec.id: SandboxProfile(spec) for spec in config.all_profiles}
        self._names = {"long_code": _long_codes(), "toll_free": _toll_free(), "short_code": _short_codes()}
        self._names["alphanumeric"] = (f"Sandbox {turn:02d}" for turn in range(1, 100))
        for profile in self.profiles.values():
            profile.numbers = self._make(profile.spec.pool, profile, config)
        self._make(config.spare, None, config)
        for index in config.unhealthy:
            self.all[index].healthy = False
        self.by_number = {each.number: each for each in self.all}
        self.plain = {each.number: (each, plain) for each in self.all if (plain := each.profile_if_plain) is not None}
        self.by_id = {each.id: each for each in self.all}

    def _make(self, pool: Pool, profile: SandboxProfile | None, config: SandboxConfig) -> list[SandboxNumber]:
        begin = len(self.all)
        for kind, count, rate in pool:
            for _ in range(count):
                name = next(self._names[kind], None)
                if name is None:
                    raise UnusableInput(f"the ranges reserved for fiction hold no more numbers of type {kind}")
                index = len(self.all)
                bucket = Bucket(rate, config.queue_cap_s) if rate > 0 else None
                self.all.append(SandboxNumber(index, name, kind, _id(kind, index), profile, bucket))
        return self.all[begin:]


def _id(kind: SenderType, index: int) -> str:
    """Telnyx numbers have numeric ids; short codes and alphanumeric IDs have UUIDs."""
    if kind in ("long_code", "toll_free"):
        return str(1_293_384_261_075_000_000 + index)
    return f"5a4db0c5-0000-4000-8000-{index:012x}"


def _long_codes() -> Iterator[str]:
    """Spread over the area codes first, so that an area match finds something in a small pool."""
    return (f"+1{area}55501{line:02d}" for line in range(100) for area in AREA_CODES)


def _toll_free() -> Iterator[str]:
    return (f"+1{code}55501{line:02d}" for line in range(100) for code in TOLL_FREE_CODES)


def _short_codes() -> Iterator[str]:
    return (str(number) for number in range(55_501, 55_600))
