"""A messaging profile as our own pool follows it: what a sync has read at the carrier and stored beside the pool."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class ProfileFacts:
    """Settings of one profile. Countries are ISO 3166-1 alpha-2, `*` is everywhere; money is micro-units, times µs.

    `sticky`, `geomatch`, `skip_unhealthy` are what our pool does, after our own settings; `deviations` says in words where
    that is not what the profile says. `spend_limit_micros` None: no daily limit.
    """

    id: str
    name: str = ""
    enabled: bool = True
    destinations: tuple[str, ...] = ("*",)
    sticky: bool = True
    geomatch: bool = False
    skip_unhealthy: bool = False
    smart_encoding: bool = False
    mobile_only: bool = False
    spend_limit_micros: int | None = None
    mms_fall_back_to_sms: bool = False
    mms_transcoding: bool = False
    alpha_sender: str = ""
    synced_us: int = 0
    deviations: tuple[str, ...] = ()

    def allows(self, country: str) -> bool:
        """Whether the profile sends there at all."""
        return "*" in self.destinations or country in self.destinations

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        fields: dict[str, Any] = orjson.loads(data)
        known = {name: value for name, value in fields.items() if name in cls.__slots__}
        known |= {name: tuple(known[name]) for name in ("destinations", "deviations") if name in known}
        return cls(**known)
