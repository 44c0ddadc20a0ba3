"""What the demo found out: from the ledger, from the outbox, and from the carrier's own log, each beside the other."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from producer.cli.desk import Desk
from producer.cli.output import facts, say, span, table
from producer.demo import promises
from producer.demo.promises import Check
from producer.demo.stage import ACCOUNT_RATE, PROFILE, Stage
from producer.intake import PushResult
from producer.records import reading
from volley.outbox.views import CampaignView, SenderView
from volley.sandbox.arrivals import Arrival, read

Document = dict[str, Any]

_FLUSHED_S = 0.2
"""The sandbox writes its log in batches."""

TAKEN = ("submitted", "delivered", "undelivered", "unconfirmed")


@dataclass(slots=True)
class Report:
    """Plain values, but for the checks. `pins`: people whom both campaigns reached, and how many saw one sender twice."""

    campaigns: list[Document]
    senders: list[Document]
    pins: dict[str, int]
    checks: list[Check]
    seconds: float = 0.0

    @classmethod
    async def make(cls, stage: Stage, desk: Desk, results: Sequence[PushResult]) -> Self:
        await asyncio.sleep(_FLUSHED_S)
        arrivals = sorted(read(stage.arrivals), key=lambda each: each.at_us)
        views = [view for result in results if (view := await desk.outbox.campaign(result.campaign_id or ""))]
        senders = [view for view in await desk.outbox.senders(PROFILE) if view.sender.type != "carrier_pool"]
        names = [view.campaign.id for view in views]
        async with reading(desk.settings) as reader:
            reports = [await reader.campaign_report(name) for name in names]
            pins = await reader.same_senders(*names)
        campaigns = [_campaign(*each, arrivals) for each in zip(results, reports, strict=True)]
        checks = _checks(views, reports, arrivals, senders, pins)
        return cls(campaigns, _senders(senders, arrivals), pins, checks)

    def as_json(self) -> Document:
        checks = [{"name": check.name, "kept": check.kept, "found": check.found} for check in self.checks]
        return {
            "campaigns": self.campaigns,
            "senders": self.senders,
            "pins": self.pins,
            "checks": checks,
            "seconds": self.seconds,
        }


def _campaign(result: PushResult, report: Document, arrivals: Sequence[Arrival]) -> Document:
    mine = [each for each in arrivals if promises.campaign_of(each) == report["campaign_id"]]
    return {
        **result.as_json(),
        "statuses": {status: count for status, count in report["statuses"].items() if count},
        "messages_by_parts": {str(parts): count for parts, count in report["parts"].items()},
        "encodings": report["encodings"],
        "cost": report["cost"],
        "differences": report["differences"],
        "rate_allowed": ACCOUNT_RATE,
        "rate_used": round(promises.rate_used(mine, ACCOUNT_RATE), 4),
    }


def _senders(senders: Sequence[SenderView], arrivals: Sequence[Arrival]) -> list[Document]:
    theirs: dict[str, list[Arrival]] = {view.sender.number: [] for view in senders}
    for each in arrivals:
        theirs.setdefault(each.sender, []).append(each)
    return [
        {
            "number": view.sender.number,
            "type": view.sender.type,
            "messages": len(mine := theirs[view.sender.number]),
            "parts": sum(each.parts for each in mine),
            "rate_allowed": view.sender.rate_milli / 1000,
            "rate_used": round(promises.rate_used(mine, view.sender.rate_milli / 1000), 4),
        }
        for view in senders
    ]


def _checks(
    views: Sequence[CampaignView],
    reports: Sequence[Document],
    arrivals: Sequence[Arrival],
    senders: Sequence[SenderView],
    pins: dict[str, int],
) -> list[Check]:
    accepted = [each for each in arrivals if each.result == "accepted"]
    rates = {view.sender.number: view.sender.rate_milli / 1000 for view in senders}
    doubled = promises.twice(arrivals)
    fast = promises.too_fast(accepted, rates, ACCOUNT_RATE)
    taken = sum(report["statuses"].get(status, 0) for report in reports for status in TAKEN)
    names = [view.campaign.id for view in views]
    held, people = promises.pins_held(arrivals, *names)
    return [
        *(_adds_up(view, report) for view, report in zip(views, reports, strict=True)),
        Check("nobody got a campaign twice", not doubled, f"{doubled} people twice in {len(accepted)} arrivals"),
        Check(
            "the carrier and the ledger count alike",
            taken == len(accepted),
            f"{len(accepted)} arrived, {taken} recorded",
        ),
        Check("no rate was exceeded", not fast, f"{', '.join(fast) or 'no bucket'} over its rate"),
        Check("the same person, the same sender", held == people == pins["same"], f"{held} of {people} pins held"),
    ]


def _adds_up(view: CampaignView, report: Document) -> Check:
    accepted, recorded, hot = view.campaign.accepted, sum(report["statuses"].values()), sum(view.counts.values())
    found = f"{accepted} accepted, {recorded} in the ledger, {hot} in Redis"
    return Check(f"the states of {view.campaign.id} add up", accepted == recorded == hot, found)


def draw(report: Report) -> None:
    """The report for people, on stdout."""
    for title, campaign in zip(("first campaign", "second campaign"), report.campaigns, strict=True):
        _draw_campaign(title, campaign)
    columns = ("number", "type", "messages", "parts", "rate allowed", "used")
    rows = [
        (
            each["number"],
            each["type"],
            each["messages"],
            each["parts"],
            f"{each['rate_allowed']:g}/s",
            f"{each['rate_used']:.1%}",
        )
        for each in report.senders
    ]
    table(columns, rows, title="senders")
    say(f"\n{report.pins['same']} of {report.pins['people']} people got the same sender in both campaigns\n")
    table(
        ("promise", "kept", "found"),
        [(check.name, "yes" if check.kept else "NO", check.found) for check in report.checks],
    )
    say(f"\n{span(report.seconds)} in all")


def _draw_campaign(title: str, campaign: Document) -> None:
    names = ("accepted", "rejected", "duplicates", "opted_out")
    say(
        f"\n{title} {campaign['campaign_id']}: "
        + ", ".join(f"{campaign[name]} {name.replace('_', ' ')}" for name in names)
    )
    table(("status", "messages"), campaign["statuses"].items())
    table(("parts", "messages"), campaign["messages_by_parts"].items(), title="")
    table(("encoding", "messages"), campaign["encodings"].items())
    costs = [(each["currency"], each["estimated"], each["cost"], each["messages"]) for each in campaign["cost"]]
    table(("currency", "estimated", "actual", "messages"), costs)
    differ = campaign["differences"]
    facts(
        [
            ("rate used of allowed", f"{campaign['rate_used']:.1%} of {campaign['rate_allowed']} parts/s"),
            (
                "carrier counted otherwise",
                f"parts {differ['parts']}, encoding {differ['encoding']}, cost {differ['cost']}",
            ),
        ]
    )
