"""/_sandbox/profiles/{id}: a profile with these numbers and no others, whatever they are; made where there is none."""

import time
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from volley.sandbox.changes import Changes
from volley.sandbox.number_spec import Assignment, verification
from volley.sandbox.numbers import Numbers
from volley.sandbox.paging import Query
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.profile_spec import ProfileSpec
from volley.sandbox.replies import Refusal, ok
from volley.sender import SenderType


class Member(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    number: Annotated[str, Field(min_length=1, max_length=20)]
    type: SenderType
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"


class Roster(BaseModel):
    model_config = ConfigDict(extra="forbid")

    numbers: Annotated[list[Member], Field(max_length=20_000)]


class ProfileControl:
    """A control of App (app.py): GET shows the numbers of a profile, PUT makes it have exactly those of a Roster."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._numbers: Numbers = changes.numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["profiles", name]:
                return _shown(self._changes.profile(name))
            case b"PUT", ["profiles", name]:
                return _shown(self._become(name, _parse(body)))
        return None

    def _become(self, name: str, roster: Roster) -> SandboxProfile:
        now_us = time.time_ns() // 1000
        profile = self._numbers.profiles.setdefault(name, SandboxProfile(ProfileSpec(id=name), "", now_us, now_us))
        wanted = {each.number: each for each in roster.numbers}
        members = list(profile.members.values())
        for gone in (each for each in members if each.type == "alphanumeric" and each.number not in wanted):
            self._changes.remove_alphanumeric(gone)
        phones = (each for each in members if each.type != "alphanumeric" and each.number not in wanted)
        self._changes.assign(phones, None, now_us)
        self._changes.assign([self._number(each, profile, now_us) for each in wanted.values()], profile, now_us)
        return profile

    def _number(self, member: Member, profile: SandboxProfile, now_us: int) -> SandboxNumber:
        if member.type == "alphanumeric":
            held = self._numbers.alphanumeric.get((profile.spec.id, member.number))
            return held or self._changes.add_alphanumeric(member.number, profile, "", now_us)
        held = self._numbers.by_number.get(member.number)
        return held or self._made(member, profile)

    def _made(self, member: Member, profile: SandboxProfile) -> SandboxNumber:
        """Registered as those that were there at the start are."""
        made, spec = self._numbers.add(member.type, member.number, profile, 0.0, member.country), profile.spec
        if made.type == "long_code" and made.country == "US" and spec.tcr_campaign_id:
            made.campaign = Assignment(spec.tcr_campaign_id, spec.campaign_status)
        elif made.type == "toll_free" and spec.verification:
            made.verification = verification(made.index, made.number, spec.verification)
        self._numbers.refresh(made)
        return made


def _shown(profile: SandboxProfile) -> bytes:
    members = profile.members.values()
    numbers = [{"number": each.number, "type": each.type, "country": each.country} for each in members]
    return ok(orjson.dumps({"numbers": sorted(numbers, key=lambda each: each["number"])}))


def _parse(body: bytes) -> Roster:
    try:
        return Roster.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        pointer = "".join(f"/{step}" for step in first["loc"])
        raise Refusal("10015", f"{pointer}: {first['msg']}", pointer=pointer) from None
