"""Messaging profiles: /messaging_profiles and what stands below each of them, but for its automatic answers."""

import time
import uuid
from typing import get_args

from volley.sandbox.bodies import read
from volley.sandbox.changes import Changes
from volley.sandbox.number_spec import TimeFrame
from volley.sandbox.paging import Query, Row, one, page
from volley.sandbox.pool import SandboxProfile
from volley.sandbox.profile_body import URL_DOMAINS, ProfileCreation, ProfileUpdate
from volley.sandbox.replies import Refusal
from volley.sandbox.rows import alphanumeric_row, number_row, profile_row, short_code_row

_BELOW = {
    "phone_numbers": (("long_code", "toll_free"), number_row),
    "short_codes": (("short_code",), short_code_row),
    "alphanumeric_sender_ids": (("alphanumeric",), alphanumeric_row),
}


class ProfileRoom:
    """A room of App (app.py)."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._profiles = changes.numbers.profiles

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match steps:
            case ["messaging_profiles"]:
                return self._collection(method, query, body)
            case ["messaging_profiles", profile_id]:
                return self._single(method, profile_id, body)
            case ["messaging_profiles", profile_id, *rest]:
                return self._below(method, profile_id, rest, query)
            case ["messaging_profile_metrics"] if method == b"GET":
                frame = _time_frame(query)
                return page(list(self._profiles.values()), lambda each: _metrics(each, frame), {})
            case ["messaging_url_domains"] if method == b"GET":
                return page(URL_DOMAINS, _domain_row, query)
        return None

    def _collection(self, method: bytes, query: Query, body: bytes) -> bytes | None:
        match method:
            case b"GET":
                return page([each for each in self._profiles.values() if _wanted(each, query)], profile_row, query)
            case b"POST":
                spec = read(ProfileCreation, body).spec()
                return one(profile_row(self._changes.add_profile(spec, _now_us())))
        return None

    def _single(self, method: bytes, profile_id: str, body: bytes) -> bytes | None:
        if method not in (b"GET", b"PATCH", b"DELETE"):
            return None
        profile = self._changes.profile(profile_id)
        if method == b"PATCH":
            update = read(ProfileUpdate, body)
            self._changes.change_profile(profile, update.over(profile.spec), _now_us())
            profile.v1_secret = update.v1_secret or profile.v1_secret
        row = profile_row(profile)
        if method == b"DELETE":
            self._changes.remove_profile(profile, _now_us())
        return one(row)

    def _below(self, method: bytes, profile_id: str, rest: list[str], query: Query) -> bytes | None:
        match method, rest:
            case b"GET", [("phone_numbers" | "short_codes" | "alphanumeric_sender_ids") as name]:
                types, row = _BELOW[name]
                members = self._changes.profile(profile_id).members.values()
                return page([each for each in members if each.type in types and each.capable], row, query)
            case b"GET", ["metrics"]:
                return one(_metrics(self._changes.profile(profile_id), _time_frame(query)))
            case b"POST", ["actions", "regenerate_secret"]:
                profile = self._changes.profile(profile_id)
                self._changes.renew_secret(profile, _now_us())
                return one(profile_row(profile))
        return None


def _now_us() -> int:
    return time.time_ns() // 1000


def _wanted(profile: SandboxProfile, query: Query) -> bool:
    exact = query.get("filter[name][eq]", query.get("filter[name]"))
    name = profile.spec.name
    return (exact is None or name == exact) and query.get("filter[name][contains]", "") in name


def _time_frame(query: Query) -> str:
    frame = query.get("time_frame", "24h")
    if frame not in get_args(TimeFrame):
        known = ", ".join(get_args(TimeFrame))
        raise Refusal("10032", f"time_frame must be one of {known}.", parameter="time_frame")
    return frame


def _metrics(profile: SandboxProfile, frame: str) -> Row:
    """The schema says nothing of what is in it; here it is what the numbers' health says."""
    healths = [each.health for each in profile.members.values() if each.is_phone]
    sent = sum(each.message_count for each in healths)
    return {
        "messaging_profile_id": profile.spec.id,
        "time_frame": frame,
        "phone_numbers": len(healths),
        "message_count": sent,
        "success_ratio": sum(each.success_ratio * each.message_count for each in healths) / sent if sent else None,
    }


def _domain_row(domain: str) -> Row:
    """MessagingUrlDomain."""
    known = str(uuid.uuid5(uuid.NAMESPACE_DNS, domain))
    return {"record_type": "messaging_url_domain", "id": known, "url_domain": domain, "use_case": "test"}
