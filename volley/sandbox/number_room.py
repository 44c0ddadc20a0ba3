"""Long codes and toll-free numbers with their messaging settings: /phone_numbers/messaging, /phone_numbers/{id}/messaging."""

import time

from volley.sandbox.bodies import Body, read
from volley.sandbox.changes import Changes
from volley.sandbox.paging import Query, one, page
from volley.sandbox.pool import SandboxNumber, SandboxProfile
from volley.sandbox.replies import Refusal
from volley.sandbox.rows import number_row
from volley.sender import sender_type

_DESCENDING = {"asc": False, "desc": True}


class _Update(Body):
    """UpdatePhoneNumberMessagingSettingsRequest. A profile that is null or not given stays, "" is none."""

    messaging_profile_id: str | None = None
    messaging_product: str | None = None
    tags: tuple[str, ...] | None = None


class NumberRoom:
    """A room of App (app.py). {id} may be the number itself, in +E.164."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._numbers = changes.numbers

    def answer(self, method: bytes, steps: list[str], query: Query, body: bytes) -> bytes | None:
        match method, steps:
            case b"GET", ["phone_numbers", "messaging"]:
                return page(self._wanted(query), number_row, query)
            case ((b"GET" | b"PATCH"), ["phone_numbers", number_id, "messaging"]):
                number = self._numbers.phone(number_id)
                if number is None:
                    raise Refusal("10005")
                if method == b"PATCH":
                    self._change(number, read(_Update, body))
                return one(number_row(number))
        return None

    def _wanted(self, query: Query) -> list[SandboxNumber]:
        found = [each for each in self._listed(query) if each.listed]
        if (exact := query.get("filter[phone_number]")) is not None:
            named = set(exact.replace(" ", "+").split(","))
            found = [each for each in found if each.number in named]
        if part := query.get("filter[phone_number][contains]", "").replace(" ", "+"):
            found = [each for each in found if part in each.number]
        if (kind := query.get("filter[type]")) is not None:
            found = [each for each in found if each.type == _type(kind)]
        return _sorted(found, query.get("sort[phone_number]"))

    def _listed(self, query: Query) -> list[SandboxNumber]:
        """Those of a profile, `null` of none, or all."""
        wanted = query.get("filter[messaging_profile_id]")
        if wanted is None:
            return self._numbers.all
        if wanted == "null":
            return [each for each in self._numbers.all if each.profile is None]
        profile = self._numbers.profiles.get(wanted)
        return list(profile.members.values()) if profile is not None else []

    def _change(self, number: SandboxNumber, update: _Update) -> None:
        now_us = time.time_ns() // 1000
        if update.messaging_product is not None and update.messaging_product not in number.products:
            raise Refusal("10032", "The number is not eligible for this product.", pointer="/messaging_product")
        if update.messaging_profile_id is not None:
            profile = self._profile(number, update.messaging_profile_id)
            self._changes.assign([number], profile, now_us)
        number.product = update.messaging_product or number.product
        number.tags = number.tags if update.tags is None else update.tags
        number.updated_us = now_us
        self._numbers.refresh(number)

    def _profile(self, number: SandboxNumber, profile_id: str) -> SandboxProfile | None:
        """Raises Refusal 10005, and 10015 where the number's product keeps it from messaging."""
        if not profile_id:
            return None
        profile = self._changes.profile(profile_id, pointer="/messaging_profile_id")
        if not number.products:
            raise Refusal("10015", "The number is in use by a product that messaging conflicts with.", pointer="/id")
        return profile


def _type(spelling: str) -> str:
    try:
        return sender_type(spelling)
    except KeyError:
        known = "filter[type] must be one of tollfree, longcode, shortcode."
        raise Refusal("10032", known, parameter="filter[type]") from None


def _sorted(numbers: list[SandboxNumber], order: str | None) -> list[SandboxNumber]:
    if order is None:
        return numbers
    if order not in _DESCENDING:
        raise Refusal("10032", "sort[phone_number] must be asc or desc.", parameter="sort[phone_number]")
    return sorted(numbers, key=lambda each: each.number, reverse=_DESCENDING[order])
