"""What the world sees of campaigns, queues and senders: documents of plain values, the same for every front."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from producer.sight import pace
from producer.sight.waits import waits_for
from volley.campaign import Campaign
from volley.money import amount
from volley.outbox.poison import SetAside
from volley.outbox.rests import CARRIER, STOPPED, RestView
from volley.outbox.views import CampaignView, ProfileView, SenderView
from volley.outbox.workers import WorkerView
from volley.state import LEDGER_STATUSES, STATUSES

Document = dict[str, Any]


def moment(us: int) -> str | None:
    """ISO 8601 in UTC; None for a moment that has not been."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds") if us > 0 else None


def money(micros: int, currency: str) -> Document:
    return {"amount": amount(micros), "currency": currency}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger knows of a campaign: messages by status, of use are those that the carrier had; micro-units by currency."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, int] = field(default_factory=dict)


def campaign(view: CampaignView, profile: ProfileView, recorded: Recorded | None = None) -> Document:
    """A campaign: states, counts per state, rate in parts/s, ETA in seconds, cost; without `recorded` as Redis alone has it."""
    facts = view.campaign
    receipts = None if recorded is None else recorded.statuses
    return _facts(facts, view.state) | {
        "counts": counts(view.counts, receipts),
        "sent_parts": view.sent_parts,
        "rate": pace.rate(view, profile),
        "eta_seconds": pace.eta(view, profile),
        "cost": money(_cost(view, recorded), facts.currency),
        "first_sent": moment(view.first_us),
        "last_sent": moment(view.last_us),
        "on_unknown": view.on_unknown,
        "possibly_twice": view.possibly_twice,
        "possibly_lost": view.possibly_lost,
        "waits_for": waits_for(view, profile.now_us),
        "paused_why": view.paused_why or None,
        "budget_left": None if view.budget_left_micros is None else money(view.budget_left_micros, facts.currency),
    }


def laid_over(view: CampaignView, profile: ProfileView, counted: Mapping[str, Recorded] | None) -> Document:
    """A campaign with what the ledger has counted laid over what Redis counts; None where the ledger did not answer.

    `ledger_answered`: else it says what Redis alone knows, so that nothing is delivered yet. Every status is there in either case.
    """
    if counted is None:
        return campaign(view, profile) | {"counts": counts(view.counts, {}), "ledger_answered": False}
    return campaign(view, profile, counted.get(view.campaign.id, Recorded())) | {"ledger_answered": True}


def _cost(view: CampaignView, recorded: Recorded | None) -> int:
    """Answers to POSTs name an estimate at best; receipts say what it cost, and a cancelled message costs nothing.

    The ledger has the last word once it knows of all that the carrier took.
    """
    if recorded is None:
        return view.cost_micros
    told, hot = recorded.statuses, view.counts
    withdrawn = max(told.get("cancelled", 0) - hot["cancelled"], 0)
    known = withdrawn + sum(told.get(status, 0) for status in ("submitted", *LEDGER_STATUSES))
    return view.cost_micros if known < hot["submitted"] else recorded.spent.get(view.campaign.currency, 0)


def past_campaign(facts: Campaign, report: Document) -> Document:
    """The same of a campaign that only the ledger remembers; `report` is the ledger's."""
    first_us, last_us = report["first_sent_us"] or 0, report["last_sent_us"] or 0
    cost = next((each["cost"] for each in report["cost"] if each["currency"] == facts.currency), None)
    return _facts(facts, "finished") | {
        "counts": {status: report["statuses"].get(status, 0) for status in STATUSES},
        "sent_parts": report["sent_parts"],
        "rate": pace.average(report["sent_parts"], first_us, last_us),
        "eta_seconds": None,
        "cost": {"amount": cost or "0.00", "currency": facts.currency},
        "first_sent": moment(first_us),
        "last_sent": moment(last_us),
        "on_unknown": facts.on_unknown,
        "possibly_twice": report["possibly_twice"],
        "possibly_lost": report["statuses"].get("unknown", 0),
        "waits_for": None,
        "paused_why": None,
        "budget_left": None,
    }


def _facts(facts: Campaign, state: str) -> Document:
    return {
        "campaign_id": facts.id,
        "profile": facts.profile,
        "state": state,
        "priority": facts.priority,
        "tags": list(facts.tags),
        "created": moment(facts.created_us),
        "expires": moment(facts.expires_us),
        "send_at": moment(facts.send_at_us),
        "start": moment(facts.start_us),
        "budget": money(facts.budget_micros, facts.currency) if facts.budget_micros else None,
        "pause_on_failures": facts.pause_on_failures_ppm / 1_000_000 or None,
        "pause_on_opt_outs": facts.pause_on_opt_outs_ppm / 1_000_000 or None,
        "quiet_hours": facts.quiet_hours or None,
        "rate_cap": facts.rate_milli / 1000 if facts.rate_milli else None,
        "from": facts.sender,
        "accepted": facts.accepted,
        "rejected": facts.rejected,
        "duplicates": facts.duplicates,
        "opted_out": facts.opted_out,
        "parts": facts.parts,
        "estimated_cost": money(facts.estimated_micros, facts.currency),
        "unpriced": facts.unpriced,
    }


def counts(hot: Mapping[str, int], receipts: Mapping[str, int] | None) -> dict[str, int]:
    """Messages per status; they add up to the accepted ones. What a receipt has settled is no longer submitted.

    Without `receipts` all that the carrier took is submitted.
    """
    if receipts is None:
        return dict(hot)
    settled = {status: receipts.get(status, 0) for status in LEDGER_STATUSES}
    # the ledger's include those that the carrier had taken, and kept until it was told to cancel them
    withdrawn = min(max(receipts.get("cancelled", 0) - hot["cancelled"], 0), hot["submitted"])
    # a receipt may be in the ledger before the counters that were read here knew of the submission
    submitted = max(hot["submitted"] - withdrawn - sum(settled.values()), 0)
    known = {**hot, "submitted": submitted, "cancelled": hot["cancelled"] + withdrawn, **settled}
    return {status: known[status] for status in STATUSES}


def queue(view: ProfileView, campaigns: Iterable[CampaignView], now_us: int) -> Document:
    """A profile's queue; `eta_seconds` is None while nothing may move."""
    mine = [each for each in campaigns if each.campaign.profile == view.profile]
    return {
        "profile": view.profile,
        "depth": view.depth,
        "oldest_age_seconds": round((now_us - view.oldest_us) / 1e6, 3) if view.oldest_us else 0,
        "rate": view.rate,
        "eta_seconds": pace.queue_eta(view, mine),
        "senders": view.senders,
        "allowed_rate": view.allowed_rate,
    }


def rest(view: RestView, account: str) -> Document:
    name = account if view.what in ("account", CARRIER, STOPPED) else view.name
    until = None if view.what == STOPPED else moment(view.until_us)
    return {"what": view.what, "name": name, "until": until, "reason": view.reason}


def set_aside(view: SetAside) -> Document:
    return {"chunk": view.chunk, "messages": view.messages, "since": moment(view.since_us)}


def worker(view: WorkerView) -> Document:
    return {
        "id": view.id,
        "host": view.host,
        "pid": view.pid,
        "started": moment(view.started_us),
        "seen": moment(view.seen_us),
        "in_flight": view.in_flight,
        "rate": view.rate,
        "quiet": view.quiet,
    }


def sender(view: SenderView) -> Document:
    """A number of the pool. `state`: active, stopped (until a moment, by the carrier), or inactive."""
    stopped = view.stopped_until_us > time.time() * 1e6
    active = "stopped" if stopped else "active"
    return {
        "number": view.sender.number,
        "profile": view.sender.profile,
        "type": view.sender.type,
        "country": view.sender.country,
        "rate": view.sender.rate_milli / 1000,
        "state": active if view.sender.active else "inactive",
        "reason": view.reason if stopped or not view.sender.active else "",
        "stopped_until": moment(view.stopped_until_us) if stopped else None,
        "pins": view.pins,
        "sent_today": view.sent_today,
    }
