"""The lists: numbers with messaging settings, short codes, alphanumeric sender IDs, messaging profiles."""

from dataclasses import asdict

import orjson

from volley.sandbox.config import ORGANIZATION_ID
from volley.sandbox.payload import tags
from volley.sandbox.pool import Numbers, SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal, listing, ok
from volley.sender import sender_type

_MADE = "2025-01-23T18:10:02.574+00:00"
_SPELLINGS = {"long_code": "long-code", "toll_free": "toll-free"}
_TWO_WAY = {"domestic_two_way": True, "international_inbound": True, "international_outbound": True}

Query = dict[str, str]
Row = dict[str, object]


class Lists:
    """A room of App (app.py). Each method below is one GET: the query's filters in, a whole answer out."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["phone_numbers", "messaging"]:
                return self.phone_numbers(query)
            case b"GET", ["phone_numbers", number_id, "messaging"]:
                return self.phone_number(number_id)
            case b"GET", ["short_codes"]:
                return self.short_codes(query)
            case b"GET", ["alphanumeric_sender_ids"]:
                return self.alphanumeric(query)
            case b"GET", ["messaging_profiles"]:
                return self.profiles(query)
            case b"GET", ["messaging_profiles", profile_id]:
                return self.profile(profile_id)
            case b"GET", ["messaging_profiles", profile_id, "phone_numbers"]:
                return self.profile_numbers(profile_id, query)
            case b"GET", ["messaging_profiles", profile_id, ("short_codes" | "alphanumeric_sender_ids") as kind]:
                return self.profile_senders(profile_id, kind, query)
        return None

    def phone_numbers(self, query: Query) -> bytes:
        numbers = [each for each in self._phones() if _wanted(each, query)]
        descending = {"": None, "asc": False, "desc": True}.get(query.get("sort[phone_number]", ""))
        if descending is not None:
            numbers.sort(key=lambda each: each.number, reverse=descending)
        return ok(listing([number_row(each) for each in numbers], query))

    def phone_number(self, number_id: str) -> bytes:
        number = self._numbers.by_id.get(number_id)
        if number is None or number.type not in _SPELLINGS:
            raise Refusal("10005")
        return ok(orjson.dumps({"data": number_row(number)}))

    def profile_numbers(self, profile_id: str, query: Query) -> bytes:
        profile = self._profile(profile_id)
        return ok(listing([number_row(each) for each in profile.members.values() if each.type in _SPELLINGS], query))

    def short_codes(self, query: Query) -> bytes:
        codes = (each for each in self._numbers.all if each.type == "short_code")
        return ok(listing([short_code_row(each) for each in codes if _of_profile(each, query)], query))

    def alphanumeric(self, query: Query) -> bytes:
        ids = (each for each in self._numbers.all if each.type == "alphanumeric")
        return ok(listing([alphanumeric_row(each) for each in ids if _of_profile(each, query)], query))

    def profile_senders(self, profile_id: str, kind: str, query: Query) -> bytes:
        """The short codes or the alphanumeric sender IDs of one profile."""
        self._profile(profile_id)
        narrowed = query | {"filter[messaging_profile_id]": profile_id}
        return self.short_codes(narrowed) if kind == "short_codes" else self.alphanumeric(narrowed)

    def profiles(self, query: Query) -> bytes:
        exact = query.get("filter[name][eq]", query.get("filter[name]"))
        part = query.get("filter[name][contains]", "")
        found = [
            profile_row(each)
            for each in self._numbers.profiles.values()
            if (exact is None or each.spec.name == exact) and part in each.spec.name
        ]
        return ok(listing(found, query))

    def profile(self, profile_id: str) -> bytes:
        return ok(orjson.dumps({"data": profile_row(self._profile(profile_id))}))

    def _profile(self, profile_id: str) -> SandboxProfile:
        profile = self._numbers.profiles.get(profile_id)
        if profile is None:
            raise Refusal("10005")
        return profile

    def _phones(self) -> list[SandboxNumber]:
        return [each for each in self._numbers.all if each.type in _SPELLINGS]


def _wanted(number: SandboxNumber, query: Query) -> bool:
    exact = query.get("filter[phone_number]")
    return (
        _of_profile(number, query)
        and (exact is None or number.number in exact.replace(" ", "+").split(","))
        and query.get("filter[phone_number][contains]", "") in number.number
        and _of_type(number, query.get("filter[type]"))
    )


def _of_type(number: SandboxNumber, spelling: str | None) -> bool:
    if spelling is None:
        return True
    try:
        return number.type == sender_type(spelling)
    except KeyError:
        raise Refusal(
            "10032", "filter[type] must be one of tollfree, longcode, shortcode.", parameter="filter[type]"
        ) from None


def _of_profile(number: SandboxNumber, query: Query) -> bool:
    wanted = query.get("filter[messaging_profile_id]")
    return wanted is None or wanted == (number.profile.spec.id if number.profile else "null")


def number_row(number: SandboxNumber) -> Row:
    """PhoneNumberWithMessagingSettings."""
    ratio = 0.94 if number.healthy else 0.2
    return {
        "record_type": "messaging_settings",
        "id": number.id,
        "phone_number": number.number,
        "messaging_profile_id": number.profile.spec.id if number.profile else None,
        "organization_id": ORGANIZATION_ID,
        "country_code": "US",
        "type": _SPELLINGS[number.type],
        "messaging_product": "A2P",
        "traffic_type": "A2P",
        "eligible_messaging_products": ["A2P"],
        "features": {"sms": _TWO_WAY, "mms": None},
        "health": {
            "message_count": 122,
            "inbound_outbound_ratio": 0.43,
            "success_ratio": ratio,
            "spam_ratio": round(1 - ratio, 2),
        },
        "tags": tags(number),
        "created_at": _MADE,
        "updated_at": _MADE,
    }


def short_code_row(number: SandboxNumber) -> Row:
    """ShortCode."""
    return {
        "record_type": "short_code",
        "id": number.id,
        "short_code": number.number,
        "country_code": "US",
        "messaging_profile_id": number.profile.spec.id if number.profile else None,
        "tags": tags(number),
        "created_at": _MADE,
        "updated_at": _MADE,
    }


def alphanumeric_row(number: SandboxNumber) -> Row:
    """AlphanumericSenderId."""
    return {
        "record_type": "alphanumeric_sender_id",
        "id": number.id,
        "alphanumeric_sender_id": number.number,
        "messaging_profile_id": number.profile.spec.id if number.profile else None,
        "organization_id": ORGANIZATION_ID,
    }


def profile_row(profile: SandboxProfile) -> Row:
    """MessagingProfile."""
    spec = profile.spec
    pool = spec.number_pool
    return {
        "record_type": "messaging_profile",
        "id": spec.id,
        "organization_id": ORGANIZATION_ID,
        "name": spec.name,
        "enabled": spec.enabled,
        "webhook_url": spec.webhook_url or None,
        "webhook_failover_url": spec.webhook_failover_url or None,
        "webhook_api_version": "2",
        "whitelisted_destinations": spec.whitelisted_destinations,
        "number_pool_settings": None if pool is None else asdict(pool),
        "url_shortener_settings": None,
        "alpha_sender": spec.alpha_sender,
        "daily_spend_limit": "0.00",
        "daily_spend_limit_enabled": False,
        "mms_fall_back_to_sms": False,
        "mms_transcoding": False,
        "mobile_only": False,
        "smart_encoding": spec.smart_encoding,
        "resource_group_id": None,
        "ai_assistant_id": None,
        "health_webhook_url": None,
        "redaction_enabled": False,
        "redaction_level": 2,
        "v1_secret": "rP1VamejkU2v0qIUxntqLW2c",
        "created_at": _MADE,
        "updated_at": _MADE,
    }
