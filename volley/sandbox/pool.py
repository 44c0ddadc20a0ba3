"""A number and a profile of the sandbox, and the choice among the numbers of a profile."""

from dataclasses import dataclass, field, replace
from typing import Literal

from volley.sandbox.limits import Bucket
from volley.sandbox.number_spec import (
    HEALTHY,
    MMS,
    SMS,
    Assignment,
    FeatureSet,
    Health,
    NumberChange,
    Verification,
    is_campaign_status,
    is_verification_status,
    verification,
)
from volley.sandbox.profile_spec import NumberPool, ProfileSpec
from volley.sandbox.replies import Refusal
from volley.sender import SenderType

Flaw = Literal["", "40100", "40315", "40320", "40329"]
_A2P = ("A2P",)
_SLOTS = {
    "messaging_product": "product",
    "eligible_messaging_products": "products",
    "traffic_type": "traffic",
    "tags": "tags",
    "provisioning": "provisioning",
}
"""Fields of a NumberChange → those of a SandboxNumber."""


@dataclass(slots=True, eq=False)
class SandboxNumber:
    """One sender. Whoever changes one calls `Numbers.refresh`.

    `flaw` is the code that refuses every send with it as `from`; `listed`: it is in the list of phone numbers. `template` is its
    answer to a send, filled in by payload.py. `fallback` is what an alphanumeric ID sends from to the US. Moments are 0 for what
    was there at the start.
    """

    index: int
    number: str
    type: SenderType
    id: str
    profile: "SandboxProfile | None"
    bucket: Bucket | None
    country: str = "US"
    health: Health = HEALTHY
    sms: FeatureSet | None = SMS
    mms: FeatureSet | None = MMS
    product: str = "A2P"
    products: tuple[str, ...] = _A2P
    traffic: str = "A2P"
    tags: tuple[str, ...] = ()
    provisioning: bool = False
    campaign: Assignment | None = None
    verification: Verification | None = None
    fallback: str = ""
    updated_us: int = 0
    flaw: Flaw = ""
    listed: bool = True
    template: bytes = b""

    @property
    def healthy(self) -> bool:
        return self.health.good

    @property
    def is_phone(self) -> bool:
        return self.type in ("long_code", "toll_free")

    @property
    def capable(self) -> bool:
        """Whether it is among the messaging-capable numbers: what is not is in no list and cannot be assigned."""
        return not self.provisioning and (self.sms is not None or self.mms is not None)

    @property
    def registered(self) -> bool:
        """Whether it is in a 10DLC campaign; numbers of other types need none."""
        if self.type != "long_code" or self.country != "US":
            return True
        return self.campaign is not None and self.campaign.status in ("ASSIGNED", "PENDING_UNASSIGNMENT")

    @property
    def verified(self) -> bool:
        return self.verification is not None and self.verification.status == "Verified"

    def change(self, change: NumberChange, now_us: int) -> None:
        """What the change names, and nothing else. Raises Refusal where `registration` is not of the number's type."""
        if "registration" in change.model_fields_set:
            self._register(change, now_us)
        self.health = replace(self.health, **change.health.model_dump(exclude_unset=True))
        self.sms = change.features.get("sms", self.sms)
        self.mms = change.features.get("mms", self.mms)
        for field_name, slot in _SLOTS.items():
            if field_name in change.model_fields_set:
                setattr(self, slot, getattr(change, field_name))
        self.updated_us = now_us

    def _register(self, change: NumberChange, now_us: int) -> None:
        status = change.registration
        if self.type == "long_code" and (status is None or is_campaign_status(status)):
            made_us = self.campaign.created_us if self.campaign else now_us
            known = self.campaign.campaign_id if self.campaign else "CSANDBX"
            name = change.campaign_id or known
            self.campaign = None if status is None else Assignment(name, status, change.failure, made_us, now_us)
        elif self.type == "toll_free" and status is None:
            self.verification = None
        elif self.type == "toll_free" and is_verification_status(status):
            self.verification = self.verification or verification(self.index, self.number, status)
            self.verification.move(status, change.failure, now_us)
        else:
            raise Refusal("10032", f"A {self.type} has no registration {status}.", pointer="/registration")

    @property
    def profile_if_plain(self) -> "SandboxProfile | None":
        """Its profile, where nothing about number, profile or destination can refuse a send."""
        profile = self.profile
        if profile is None or self.flaw or self.type == "alphanumeric":
            return None
        return profile if profile.spec.enabled and "*" in profile.spec.whitelisted_destinations else None


@dataclass(slots=True, eq=False)
class SandboxProfile:
    """A profile, its numbers by their index, and what the number pool remembers."""

    spec: ProfileSpec
    v1_secret: str = ""
    created_us: int = 0
    updated_us: int = 0
    members: dict[int, SandboxNumber] = field(default_factory=dict)
    pins: dict[str, SandboxNumber] = field(default_factory=dict)
    turns: dict[SenderType, int] = field(default_factory=dict)
    given: dict[SenderType, int] = field(default_factory=dict)
    autoresponses: dict[str, dict[str, object]] = field(default_factory=dict)
    _usable: dict[SenderType, list[SandboxNumber]] | None = None

    def choose(self, to: str) -> SandboxNumber:
        """A number for a send without `from`: sticky, area code, then the weights of the types, each type in turn."""
        settings = self.spec.number_pool
        if settings is None:
            raise Refusal("40321")
        rows = self._rows(settings)
        pinned = self.pins.get(to)
        if settings.sticky_sender and pinned is not None and pinned.profile is self and _may(pinned, settings):
            return pinned
        near = _near(rows, to) if settings.geomatch and to[:2] == "+1" else {}
        chosen = self._next(near or rows, settings)
        if settings.sticky_sender:
            self.pins[to] = chosen
        return chosen

    def refresh(self) -> None:
        """Something about the profile or one of its numbers has changed."""
        self._usable = None

    def _rows(self, settings: NumberPool) -> dict[SenderType, list[SandboxNumber]]:
        """The numbers that may be chosen, by type. Raises Refusal 40321 where there are none."""
        if self._usable is None:
            self._usable = {}
            for each in self.members.values():
                if _may(each, settings):
                    self._usable.setdefault(each.type, []).append(each)
        if not self._usable:
            raise Refusal("40321")
        return self._usable

    def _next(self, rows: dict[SenderType, list[SandboxNumber]], settings: NumberPool) -> SandboxNumber:
        kind = min(rows, key=lambda each: (self.given.get(each, 0) + 1) / _weight(each, settings))
        self.given[kind] = self.given.get(kind, 0) + 1
        turn = self.turns.get(kind, 0)
        self.turns[kind] = turn + 1
        return rows[kind][turn % len(rows[kind])]


def _near(rows: dict[SenderType, list[SandboxNumber]], to: str) -> dict[SenderType, list[SandboxNumber]]:
    """Those of the recipient's area code."""
    near = {kind: [each for each in row if each.number[:5] == to[:5]] for kind, row in rows.items()}
    return {kind: row for kind, row in near.items() if row}


def _may(number: SandboxNumber, settings: NumberPool) -> bool:
    return _weight(number.type, settings) > 0 and (
        not number.flaw or (number.flaw == "40315" and not settings.skip_unhealthy)
    )


def _weight(kind: SenderType, settings: NumberPool) -> float:
    """Short codes and alphanumeric IDs are in no pool."""
    return {"long_code": settings.long_code_weight, "toll_free": settings.toll_free_weight}.get(kind, 0)
