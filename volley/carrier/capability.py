"""What a number can do by itself, whatever its profile says: type, country, registration, features. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from volley.carrier.alphanumeric import keeps_rules
from volley.carrier.causes import Finding, finding
from volley.carrier.edge import AlphanumericId, Number, ShortCode
from volley.carrier.reach import EVERYWHERE, NANP_HOME, NOWHERE, all_but, both, only, words
from volley.carrier.registrations import Assignment, Registrations
from volley.numbers import country
from volley.sender import SenderType, sender_type

Subject = Number | ShortCode | AlphanumericId

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_CAMPAIGN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Capability:
    """`reach` as in volley/sender.py. `campaign` has the ids of its 10DLC campaign, `fallback` is an alphanumeric ID's US number."""

    number: str
    type: SenderType
    country: str = ""
    reach: str = EVERYWHERE
    findings: tuple[Finding, ...] = ()
    mms: bool = False
    fallback: str = ""
    campaign: tuple[str, ...] = ()


def capability(row: Subject, registrations: Registrations, refused: tuple[str, ...]) -> Capability:
    match row:
        case ShortCode():
            home = row.country_code or ""
            return Capability(row.short_code, "short_code", home, only([home]) or EVERYWHERE, mms=True)
        case AlphanumericId():
            return _alphanumeric(row, refused)
        case Number():
            return _number(row, registrations)


def _alphanumeric(row: AlphanumericId, refused: tuple[str, ...]) -> Capability:
    name = row.alphanumeric_sender_id
    found = () if keeps_rules(name) else (finding("alphanumeric_invalid"),)
    reach = all_but(refused)
    return Capability(name, "alphanumeric", "", reach, found, fallback=row.us_long_code_fallback or "")


def _number(row: Number, registrations: Registrations) -> Capability:
    kind, found = _kind(row)
    sms, home = _feature(row, "sms"), home_country(row)
    if sms is None:
        found.append(finding("short_code_unprovisioned" if kind == "short_code" else "no_sms"))
    reach = _by_country(sms or {}, kind, home)
    if sms is not None and reach == NOWHERE:
        found.append(finding("no_outbound"))
    campaign: tuple[str, ...] = ()
    if kind == "toll_free":
        found += _toll_free(row.phone_number, registrations)
    elif kind == "long_code" and home == "US":
        held = _assignment(row.phone_number, registrations)
        reach, registered = _ten_dlc(held, reach, readable=registrations.campaigns is not None)
        found += registered
        campaign = tuple(name for name in held.ids if _CAMPAIGN_ID.fullmatch(name)) if held else ()
    mms = (row.features or {}).get("mms") is not None
    found += _traffic(row, mms)
    if home and reach not in (NOWHERE, EVERYWHERE) and not reach.startswith("!"):
        found.append(finding("country_rules", where=words(reach)))
    return Capability(row.phone_number, kind, home, reach, tuple(found), mms, campaign=campaign)


def _kind(row: Number) -> tuple[SenderType, list[Finding]]:
    if not row.type:
        return "long_code", [finding("provisioning")]
    try:
        return sender_type(row.type), []
    except KeyError:
        return "long_code", [finding("unknown_type", type=repr(row.type[:20]))]


def _feature(row: Number, name: str) -> dict[str, Any] | None:
    """None where the carrier says null; {} where it says nothing."""
    held = (row.features or {}).get(name, {})
    return held if isinstance(held, dict) or held is None else {}


def _by_country(sms: Mapping[str, Any], kind: SenderType, country: str) -> str:
    """Where features.sms lets it send. What is not said is not forbidden. Short codes are leased by country."""
    leased = kind == "short_code" and country
    home = NANP_HOME if country in NANP_HOME and not leased else {country} - {""}
    abroad = sms.get("international_outbound") is not False and not leased
    match sms.get("domestic_two_way") is not False, abroad:
        case True, True:
            return EVERYWHERE
        case True, False:
            return only(home) or EVERYWHERE
        case False, True:
            return all_but(home)
    return NOWHERE


def home_country(row: Number) -> str:
    known = row.country_code or ""
    return known if known or not _E164.fullmatch(row.phone_number) else country(int(row.phone_number))


def _assignment(number: str, registrations: Registrations) -> Assignment | None:
    return (registrations.campaigns or {}).get(number)


def _ten_dlc(held: Assignment | None, reach: str, *, readable: bool) -> tuple[str, list[Finding]]:
    """A US long code needs a 10DLC campaign for the US; abroad it needs none."""
    if not readable:
        said = "a US long code is assigned to a 10DLC campaign, else carriers filter its texts (40010)"
        return reach, [finding("registration_unread", registration=said)]
    status = held.status if held else "NONE"
    if status == "PENDING_UNASSIGNMENT":
        return reach, [finding("campaign_leaving")]
    if status in ("ASSIGNED", "FAILED_UNASSIGNMENT"):
        return reach, []
    cause = {"NONE": "campaign_missing", "FAILED_ASSIGNMENT": "campaign_failed"}.get(status, "campaign_pending")
    abroad = reach == EVERYWHERE or reach.startswith("!")
    consequence = "; it may send abroad" if abroad else ", and it may not send abroad"
    why = _because(held.why if held else "")
    left = both(reach, all_but(["US"])) if abroad else reach
    return left, [finding(cause, blocking=not abroad, consequence=consequence, why=why)]


def _toll_free(number: str, registrations: Registrations) -> list[Finding]:
    if registrations.toll_free is None:
        said = "a toll-free number is verified, else the carrier refuses its texts (40329)"
        return [finding("registration_unread", registration=said)]
    held = registrations.toll_free.get(number)
    if held is None:
        return [finding("toll_free_unverified")]
    match held.status:
        case "verified":
            return []
        case "rejected":
            return [finding("toll_free_rejected", why=_because(held.why))]
        case "waiting for customer":
            return [finding("toll_free_needs_answer", why=_because(held.why))]
    return [finding("toll_free_pending", status=held.status[:30] or "no status")]


def _because(why: str) -> str:
    return f" ({why})" if why else ""


def _traffic(row: Number, mms: bool) -> Iterator[Finding]:
    product, eligible = row.messaging_product, row.eligible_messaging_products
    if product and eligible and product not in eligible:
        yield finding("conflicting_product", product=product[:30], eligible=", ".join(eligible)[:60])
    if "P2P" in ((row.traffic_type or "").upper(), (product or "").upper()):
        yield finding("p2p")
    if not mms:
        yield finding("no_mms")
