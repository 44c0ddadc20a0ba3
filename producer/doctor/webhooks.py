"""The way back: whether the carrier's webhooks would reach us, whether we would refuse those of others, and what came so far."""

import time

from aiohttp import ClientError, ClientSession, ClientTimeout

from producer.doctor.verdict import Verdict, failed, ok, warning
from producer.web.webhooks import UNSIGNED
from volley.outbox.outbox import Outbox
from volley.outbox.webhooks import counts
from volley.settings import Settings

_TIMEOUT_S = 5.0
_FORGED = b'{"data":{"id":"volley-doctor","event_type":"message.finalized"}}'
_GOOD = frozenset({"applied", "heard", "inbound", "ignored", "spend_limits"})
_OUR_OWN = 20
"""So many refused ones may be those of doctors."""
_KEPT_PRIVATE = (401, 403, 404)
_DAY_US = 86_400_000_000
_HOW_TO = "see that volley serve runs, and the proxy before it: docs/how-to/webhooks-behind-a-proxy.md"


async def check(settings: Settings) -> list[Verdict]:
    """Two lines for each address that the carrier is told."""
    found: list[Verdict] = []
    own = f"webhooks/telnyx/{settings.account}"
    addresses = (("webhooks", settings.public_url, own), ("failover", settings.public_failover_url, f"{own}/failover"))
    async with ClientSession(timeout=ClientTimeout(total=_TIMEOUT_S)) as session:
        for name, url, path in addresses:
            if url:
                found += [await healthy(session, name, url), await refuses(session, name, f"{url}/{path}")]
    return found


async def healthy(session: ClientSession, name: str, url: str) -> Verdict:
    """Whether `volley serve` answers there, as seen from here."""
    check = f"{name}: reachable"
    try:
        started = time.monotonic()
        async with session.get(f"{url}/healthz", allow_redirects=False) as answer:
            status, took_s = answer.status, time.monotonic() - started
    except (ClientError, OSError) as error:
        return failed(check, f"{url} does not answer from here ({type(error).__name__})", _HOW_TO)
    if status == 503:
        return failed(check, "volley serve answers, and cannot reach its Redis", "see Redis, below")
    if status in _KEPT_PRIVATE:
        return ok(check, f"{url} answers in {took_s * 1000:.0f} ms, as seen from here; /healthz is not public")
    if status != 200:
        return failed(check, f"{url}/healthz answers {status}: that is not volley serve", _HOW_TO)
    return ok(check, f"{url} answers in {took_s * 1000:.0f} ms, as seen from here")


async def refuses(session: ClientSession, name: str, url: str) -> Verdict:
    """An event that nobody signed must be refused; whatever else comes back, the carrier's would not arrive."""
    check = f"{name}: verified"
    try:
        async with session.post(url, data=_FORGED, allow_redirects=False) as answer:
            status, said = answer.status, (await answer.content.read(100)).decode("utf-8", "replace")
    except (ClientError, OSError) as error:
        return failed(check, f"no answer to a webhook ({type(error).__name__})", _HOW_TO)
    if status == 403 and said != UNSIGNED:
        return warning(
            check,
            "a proxy refuses webhooks from here before volley serve sees them",
            "see that it lets in 192.76.120.192/27; webhooks: received, below, tells whether the carrier's come through",
        )
    if status == 403:
        return ok(check, "a webhook without the carrier's signature is refused")
    if status == 404:
        return failed(
            check,
            "there is no such address: volley serve may work for another account",
            "see VOLLEY_ACCOUNT of volley serve",
        )
    if status < 300:
        return failed(check, f"a forged webhook was taken (HTTP {status}): that is not volley serve", _HOW_TO)
    return failed(check, f"webhooks are answered {status}", _HOW_TO)


async def received(outbox: Outbox, settings: Settings) -> Verdict | None:
    """What came so far, and when last; None where nothing is to come."""
    if not settings.public_url:
        return None
    views = (*await outbox.campaigns(), *await outbox.campaigns("gathered"))
    taken = any(view.counts["submitted"] for view in views)
    return judge(await counts(outbox.redis, outbox.keys), taken=taken, now_us=time.time_ns() // 1000)


def judge(came: dict[str, tuple[int, int]], *, taken: bool, now_us: int) -> Verdict:
    """`came`: name → (how many, when last); `taken`: the carrier has taken messages of ours."""
    check = "webhooks: received"
    good = {name: when for name, (_, when) in came.items() if name in _GOOD}
    refused = came.get("refused", (0, 0))[0]
    if not good:
        if refused > _OUR_OWN:
            todo = "compare TELNYX_PUBLIC_KEY with the portal's, and this machine's clock"
            return warning(check, f"all of {refused} were refused: their signature did not fit", todo)
        if taken:
            return warning(check, "none, though the carrier has taken messages", _HOW_TO)
        return ok(check, "none yet")
    found = f"the last one {_ago(now_us - max(good.values()))}"
    misfit, last_us = came.get("misfit", (0, 0))
    if misfit and last_us > max(good.values()):
        todo = "compare TELNYX_PUBLIC_KEY with the portal's, and this machine's clock; or somebody forges them"
        return warning(
            check, f"{found}; since then some came whose signature did not fit, {_ago(now_us - last_us)} the last", todo
        )
    spare, when_us = came.get("failover", (0, 0))
    if spare and now_us - when_us < _DAY_US:
        todo = "see whether VOLLEY_PUBLIC_URL was away: its proxy's log"
        return warning(check, f"{found}; {spare} came to the failover address, {_ago(now_us - when_us)} the last", todo)
    return ok(check, found)


def _ago(us: int) -> str:
    minutes = us / 60e6
    return f"{minutes:.0f} min ago" if minutes < 120 else f"{minutes / 60:.0f} h ago"
