"""The way back: whether the carrier's webhooks would reach us, and whether we would refuse those of others."""

import time

from aiohttp import ClientError, ClientSession, ClientTimeout

from producer.doctor.verdict import Verdict, failed, ok
from volley.settings import Settings

_TIMEOUT_S = 5.0
_FORGED = b'{"data":{"id":"volley-doctor","event_type":"message.finalized"}}'
_HOW_TO = "see that volley serve runs, and the proxy before it: docs/how-to/webhooks-behind-a-proxy.md"


async def check(settings: Settings) -> list[Verdict]:
    """Two lines for each address that the carrier is told."""
    found: list[Verdict] = []
    for name, url in (("webhooks", settings.public_url), ("failover", settings.public_failover_url)):
        if url:
            async with ClientSession(timeout=ClientTimeout(total=_TIMEOUT_S)) as session:
                found.append(await healthy(session, name, url))
                found.append(await refuses(session, name, f"{url}/webhooks/telnyx/{settings.account}"))
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
    if status != 200:
        return failed(check, f"{url}/healthz answers {status}: that is not volley serve", _HOW_TO)
    return ok(check, f"{url} answers in {took_s * 1000:.0f} ms, as seen from here")


async def refuses(session: ClientSession, name: str, url: str) -> Verdict:
    """An event that nobody signed must be refused; whatever else comes back, the carrier's would not arrive."""
    check = f"{name}: verified"
    try:
        async with session.post(url, data=_FORGED, allow_redirects=False) as answer:
            status = answer.status
    except (ClientError, OSError) as error:
        return failed(check, f"no answer to a webhook ({type(error).__name__})", _HOW_TO)
    if status == 403:
        return ok(check, "a webhook without the carrier's signature is refused")
    if status == 404:
        return failed(
            check, f"no such address for account {url.rpartition('/')[2]}", "see VOLLEY_ACCOUNT of volley serve"
        )
    if status < 300:
        return failed(check, f"a forged webhook was taken (HTTP {status}): that is not volley serve", _HOW_TO)
    return failed(check, f"webhooks are answered {status}", _HOW_TO)
