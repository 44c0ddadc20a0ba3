"""What the configuration endpoints do to numbers and profiles. After each of these the next send sees what has changed."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from volley.sandbox.numbers import Numbers
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.profile_spec import ProfileSpec
from volley.sandbox.replies import Refusal

ALPHANUMERIC_RATE = 0.1
"""Parts per second of a new alphanumeric sender ID: Telnyx's default."""


class Changes:
    """`now_us` is wall-clock µs: what `updated_at` then says."""

    def __init__(self, numbers: Numbers, seed: int) -> None:
        self.numbers = numbers
        self._seed = seed
        self._made = 0

    def profile(self, profile_id: str, pointer: str = "") -> SandboxProfile:
        """Raises Refusal 10005."""
        profile = self.numbers.profiles.get(profile_id)
        if profile is None:
            raise Refusal("10005", "There is no messaging profile with this ID." if pointer else "", pointer=pointer)
        return profile

    def assign(self, numbers: Iterable[SandboxNumber], profile: SandboxProfile | None, now_us: int) -> None:
        """To a profile or to none. The people that a pool has pinned to a number are free when it leaves."""
        left: dict[int, SandboxProfile] = {}
        moving = [each for each in numbers if each.profile is not profile]
        for each in moving:
            if each.profile is not None:
                left[id(each.profile)] = each.profile
                del each.profile.members[each.index]
            each.profile, each.updated_us = profile, now_us
            if profile is not None:
                profile.members[each.index] = each
            self.numbers.refresh(each)
        for old in left.values():
            old.pins = {to: each for to, each in old.pins.items() if each.profile is old}
            old.refresh()

    def add_profile(self, spec: ProfileSpec, now_us: int) -> SandboxProfile:
        """Its id is made here, from the seed: the same run makes the same ids."""
        self._made += 1
        spec = replace(spec, id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"profile {self._seed} {self._made}")))
        profile = SandboxProfile(spec, self._secret(), now_us, now_us)
        self.numbers.profiles[spec.id] = profile
        self._carry_alpha_sender(profile, now_us)
        return profile

    def change_profile(self, profile: SandboxProfile, spec: ProfileSpec, now_us: int) -> None:
        """A pool that is off or no longer sticky forgets its pins."""
        profile.spec, profile.updated_us = spec, now_us
        if spec.number_pool is None or not spec.number_pool.sticky_sender:
            profile.pins.clear()
        for each in profile.members.values():
            self.numbers.refresh(each)
        profile.refresh()
        self._carry_alpha_sender(profile, now_us)

    def remove_profile(self, profile: SandboxProfile, now_us: int) -> None:
        """Its numbers belong to no profile then; its alphanumeric sender IDs go with it."""
        members = list(profile.members.values())
        for each in members:
            if each.type == "alphanumeric":
                self.remove_alphanumeric(each)
        self.assign([each for each in members if each.type != "alphanumeric"], None, now_us)
        del self.numbers.profiles[profile.spec.id]

    def renew_secret(self, profile: SandboxProfile, now_us: int) -> None:
        profile.v1_secret, profile.updated_us = self._secret(), now_us

    def add_alphanumeric(self, name: str, profile: SandboxProfile, fallback: str, now_us: int) -> SandboxNumber:
        """Raises Refusal 10012 where the profile has it already."""
        if (profile.spec.id, name) in self.numbers.alphanumeric:
            raise Refusal(
                "10012", "The messaging profile has this sender ID already.", pointer="/alphanumeric_sender_id"
            )
        made = self.numbers.add("alphanumeric", name, profile, ALPHANUMERIC_RATE)
        made.fallback, made.updated_us = fallback, now_us
        self.numbers.refresh(made)
        return made

    def remove_alphanumeric(self, number: SandboxNumber) -> None:
        profile, numbers = number.profile, self.numbers
        if profile is None:
            return
        del profile.members[number.index], numbers.by_id[number.id]
        del numbers.alphanumeric[profile.spec.id, number.number]
        if profile.spec.alpha_sender == number.number:
            profile.spec = replace(profile.spec, alpha_sender=None)
        number.profile = None
        if numbers.by_number.get(number.number) is number:
            del numbers.by_number[number.number]
            others = (each for (_, name), each in numbers.alphanumeric.items() if name == number.number)
            numbers.by_number |= {each.number: each for each in others}
        numbers.refresh(number)

    def _carry_alpha_sender(self, profile: SandboxProfile, now_us: int) -> None:
        """A profile's `alpha_sender` can send from it, registered as an ID of its own or not."""
        name = profile.spec.alpha_sender
        if name is not None and (profile.spec.id, name) not in self.numbers.alphanumeric:
            self.add_alphanumeric(name, profile, "", now_us)

    def _secret(self) -> str:
        self._made += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"secret {self._seed} {self._made}").hex[:24]
