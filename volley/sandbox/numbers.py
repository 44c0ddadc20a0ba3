"""All numbers and profiles that a sandbox has: made from its config, found by name and id, kept ready for fast sends."""

from dataclasses import replace
from typing import get_args

from volley.sandbox.config import SandboxConfig
from volley.sandbox.fiction import Names, countries
from volley.sandbox.limits import Bucket
from volley.sandbox.number_spec import UNHEALTHY, Assignment, verification
from volley.sandbox.pool import Flaw, SandboxNumber, SandboxProfile
from volley.sandbox.profile_spec import Pool, ProfileSpec
from volley.sender import SenderType

_TAGS = {kind: ("sandbox", kind) for kind in get_args(SenderType)}


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
