"""The numbers and profiles that a sandbox has, and the choice among the numbers of a profile."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from volley.sandbox.config import SandboxConfig
from volley.sandbox.fiction import Names, countries
from volley.sandbox.limits import Bucket
from volley.sandbox.number_spec import (
    HEALTHY,
    MMS,
    SMS,
    UNHEALTHY,
    Assignment,
    FeatureSet,
    Health,
    NumberChange,
    Verification,
    is_campaign_status,
    is_verification_status,
    verification,
)
from volley.sandbox.profile_spec import NumberPool, Pool, ProfileSpec
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

_TAGS = {kind: ("sandbox", kind) for kind in get_args(SenderType)}


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


class Numbers:
    """All profiles and senders of a sandbox, and ways to find them. `all` only grows: a sender's index is its place there."""

    def __init__(self, config: SandboxConfig) -> None:
        self.all: list[SandboxNumber] = []
        self.profiles: dict[str, SandboxProfile] = {}
        self.by_number: dict[str, SandboxNumber] = {}
        self.by_id: dict[str, SandboxNumber] = {}
        self.plain: dict[str, tuple[SandboxNumber, SandboxProfile]] = {}
        self.alphanumeric: dict[tuple[str, str], SandboxNumber] = {}
        self._cap_s = config.queue_cap_s
        self._verified_only = config.verified_only
        names = Names(beyond=config.beyond_fiction)
        for spec in config.all_profiles:
            self._make_profile(spec, names)
        self._make(config.spare, None, names)
        for index in config.unhealthy:
            self.all[index].health = UNHEALTHY
        for index, change in config.states.items():
            self.all[index].change(change, 0)
        for each in self.all:
            self.refresh(each)

    def find(self, name: str, profile_id: object = None) -> SandboxNumber | None:
        """A sender by what stands in `from`. An alphanumeric ID may be on several profiles; another's where not on this one."""
        if isinstance(profile_id, str) and (profile_id, name) in self.alphanumeric:
            return self.alphanumeric[profile_id, name]
        return self.by_number.get(name)

    def phone(self, number_id: str) -> SandboxNumber | None:
        """A long code or toll-free number by its id or its number, where it is capable of messaging."""
        found = self.by_id.get(number_id) or self.by_number.get(number_id)
        return found if found is not None and found.listed else None

    def add(
        self, kind: SenderType, name: str, profile: SandboxProfile | None, rate: float, country: str = "US"
    ) -> SandboxNumber:
        index = len(self.all)
        bucket = Bucket(rate, self._cap_s) if rate > 0 else None
        number = SandboxNumber(index, name, kind, _id(kind, index), profile, bucket, country, tags=_TAGS[kind])
        self.all.append(number)
        self.by_id[number.id] = number
        if profile is not None:
            profile.members[index] = number
        self.by_number.setdefault(name, number)
        if kind == "alphanumeric" and profile is not None:
            self.alphanumeric[profile.spec.id, name] = number
        return number

    def refresh(self, number: SandboxNumber) -> None:
        """Something about it or its profile has changed: what was made for speed is made again."""
        number.flaw = _flaw(number, self._verified_only)
        number.listed = number.is_phone and number.capable
        number.template = b""
        profile = number.profile_if_plain
        if profile is None:
            self.plain.pop(number.number, None)
        else:
            self.plain[number.number] = (number, profile)
        if number.profile is not None:
            number.profile.refresh()

    def _make_profile(self, spec: ProfileSpec, names: Names) -> None:
        profile = self.profiles[spec.id] = SandboxProfile(spec)
        self._make(spec.pool, profile, names)
        for country, rate in countries(spec.abroad):
            self.add("long_code", names.abroad(country), profile, rate, country)
        if spec.alpha_sender is None:
            first = next((each.number for each in profile.members.values() if each.type == "alphanumeric"), None)
            profile.spec = replace(spec, alpha_sender=first)
        assignment = spec.tcr_campaign_id and Assignment(spec.tcr_campaign_id, spec.campaign_status)
        for each in profile.members.values():
            if each.type == "long_code" and each.country == "US":
                each.campaign = assignment or None
            elif each.type == "toll_free" and spec.verification:
                each.verification = verification(each.index, each.number, spec.verification)

    def _make(self, pool: Pool, profile: SandboxProfile | None, names: Names) -> None:
        for kind, count, rate in pool:
            for _ in range(count):
                self.add(kind, names.next(kind), profile, rate)


def _flaw(number: SandboxNumber, verified_only: bool) -> Flaw:
    if number.provisioning:
        return "40320"
    if number.sms is None:
        return "40100"
    if verified_only and number.type == "toll_free" and not number.verified:
        return "40329"
    return "" if number.healthy else "40315"


def _id(kind: SenderType, index: int) -> str:
    """Telnyx numbers have numeric ids; short codes and alphanumeric IDs have UUIDs."""
    if kind in ("long_code", "toll_free"):
        return str(1_293_384_261_075_000_000 + index)
    return f"5a4db0c5-0000-4000-8001-{index:012x}"
