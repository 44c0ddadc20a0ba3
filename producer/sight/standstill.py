"""Why nothing moves, or not all of it: sentences for people who look at `volley status`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from volley.outbox.poison import SetAside
from volley.outbox.rests import CARRIER, STOPPED, RestView
from volley.outbox.views import CampaignView, ProfileView
from volley.outbox.workers import WorkerView

_WIDE = {"account": "the account", "mms": "MMS of the account"}
MOST = 5
"""So many senders, and so many paused campaigns, are told one by one."""


def reasons(
    live: Sequence[CampaignView],
    workers: Sequence[WorkerView],
    ledger_entries: int,
    ledger_bound: int,
    rests: Sequence[RestView],
    profiles: Sequence[ProfileView] = (),
) -> list[str]:
    """What holds messages up now, the widest first."""
    found = []
    if live and (idle := without_hands(workers)):
        found.append(idle)
    if ledger_entries > ledger_bound:
        found.append(
            f"the ledger is behind: {ledger_entries} entries wait, and nothing is sent above {ledger_bound};"
            " see that volley serve runs and its database is there"
        )
    return [*found, *_resting(rests), *_unserved(profiles), *_left(live, rests, profiles), *_paused(live)]


def without_hands(workers: Sequence[WorkerView]) -> str:
    """Why nobody takes anything; '' where somebody does."""
    if not workers:
        return "no worker is running: start volley worker, or volley up"
    if all(worker.quiet for worker in workers):
        return "every worker is quiet (SIGTSTP): none takes anything more until a SIGCONT, or until another is started"
    return ""


def surprises(workers: Sequence[WorkerView]) -> Iterator[str]:
    """Error codes of the carrier that no table has: somebody should look at them."""
    found: Counter[str] = Counter()
    for worker in workers:
        found.update(worker.unknown_codes)
    for code, count in found.most_common(MOST):
        yield f"the carrier refused {count} messages with {code}, a code that this release does not know: they ended so"


def left_aside(chunks: Sequence[SetAside]) -> Iterator[str]:
    """Campaigns of which something was set aside."""
    found: Counter[str] = Counter()
    for each in chunks:
        found[each.campaign] += each.messages
    for name, messages in found.most_common(MOST):
        yield (
            f"{messages} messages of campaign {name} were set aside, as worker after worker ended with them: volley campaigns dead"
            f" {name} lists them; once the cause is gone, volley campaigns redrive {name}"
        )


def _resting(rests: Sequence[RestView]) -> Iterator[str]:
    senders = [rest for rest in rests if rest.what == "sender"]
    for rest in [*(rest for rest in rests if rest.what != "sender"), *senders[:MOST]]:
        if rest.what == STOPPED:
            yield f"all sending is {rest.reason}: volley resume --all lets it go on"
            continue
        if rest.what == CARRIER:
            yield (
                f"the carrier does not answer ({rest.reason}): sending stands still so that nothing more becomes unknown; one message"
                f" tries again at {_clock(rest.until_us)}, and all goes on once one gets through"
            )
            continue
        who = _WIDE.get(rest.what) or f"{rest.what} {rest.name}"
        yield f"{who} rests until {_clock(rest.until_us)}: {rest.reason}"
    if len(senders) > MOST:
        yield f"{len(senders) - MOST} more senders rest: volley numbers list"


def _unserved(profiles: Sequence[ProfileView]) -> Iterator[str]:
    for view in profiles:
        if view.unserved:
            yield (
                f"no sender of {view.profile} may send to the countries of {view.unserved} messages: volley numbers doctor,"
                f" then volley numbers sync --profile {view.profile}; they expire with their campaigns"
            )


def _left(live: Sequence[CampaignView], rests: Sequence[RestView], profiles: Sequence[ProfileView]) -> Iterator[str]:
    """Campaigns whose own sender is out of the pool, and not because it rests."""
    own = [(view.campaign, view.campaign.sender) for view in live if view.state == "ready" and view.campaign.sender]
    # of ten thousand numbers only where somebody asks
    known = {(view.profile, number) for view in profiles for number in view.own_rates} if own else set()
    resting = {rest.name for rest in rests}
    alone = [(each, name) for each, name in own if (each.profile, name) not in known and name not in resting]
    for campaign, name in alone[:MOST]:
        yield (
            f"campaign {campaign.id} waits for its sender {name}, which is not in the pool now: volley numbers list"
            f" --profile {campaign.profile} tells why"
        )
    if len(alone) > MOST:
        yield f"{len(alone) - MOST} more campaigns wait for senders that are not in the pool"


def _clock(us: int) -> str:
    """A moment in UTC; its day too unless that is today."""
    moment = datetime.fromtimestamp(us / 1e6, UTC)
    today = moment.date() == datetime.now(UTC).date()
    return moment.strftime("%H:%M:%S UTC" if today else "%Y-%m-%d %H:%M:%S UTC")


def _paused(live: Sequence[CampaignView]) -> Iterator[str]:
    paused = [view.campaign.id for view in live if view.state == "paused"]
    yield from (f"campaign {name} is paused: volley campaigns resume {name}" for name in paused[:MOST])
    if len(paused) > MOST:
        yield f"{len(paused) - MOST} more campaigns are paused: volley campaigns"
