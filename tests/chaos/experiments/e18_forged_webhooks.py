"""18: what the carrier did not sign changes nothing, is counted, and neither fills the memory nor delays what it did sign."""

import asyncio
import base64
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from multidict import CIMultiDict
from nacl.signing import SigningKey

from tests.chaos.experiments.e21_pause_cancel_stop import stop_event
from tests.chaos.registry import Run, experiment
from tests.chaos.stage import SECRET, Stage, stage
from volley.carrier.reference import secrets_of, sign
from volley.carrier.signature import SIGNATURE, TIMESTAMP
from volley.sandbox.config import PROFILE_ID
from volley.sandbox.signing import Signer

HUGE = 10 << 20
_HUGE = bytes(HUGE)
LARGEST_GROWTH = 120 << 20
"""Bodies on their way in may hold 64 MB together."""
ANSWER_S = 2.0
"""When the carrier gives up."""

Headers = CIMultiDict[str]
Forged = tuple[Any, Headers]


class Forger:
    """Makes webhooks that lie. He knows all but the carrier's key: genuine events, and references that we signed."""

    def __init__(self, run: Run, seed: int, people: list[int], campaign: str) -> None:
        self._dice = run.dice
        self._key: SigningKey = Signer(seed)._keys[0]  # for events that were genuine once
        self._other: SigningKey = Signer(seed + 1)._keys[0]
        self._people = people
        self._campaign = campaign
        self._secret = secrets_of(SECRET)[0]
        self.kinds: dict[str, Callable[[], Forged]] = {
            "unsigned": lambda: (self.lie(), Headers()),
            "bit of the body": self.body_bit,
            "bit of the signature": self.signature_bit,
            "old": lambda: self.signed(self.lie(), self._key, -self._dice.uniform(302, 1e6)),
            "of the future": lambda: self.signed(self.lie(), self._key, self._dice.uniform(302, 1e6)),
            "old with a new stamp": self.stamped_anew,
            "another key": lambda: self.signed(self.lie(), self._other),
            "re-serialised": self.written_anew,
            "longer": lambda: self.altered(lambda body: body + b" "),
            "shorter": lambda: self.altered(lambda body: body[:-1]),
            "doubled signature": lambda: self.doubled(SIGNATURE),
            "doubled timestamp": lambda: self.doubled(TIMESTAMP),
            "10 MB": lambda: (_HUGE, self.signed(b"", self._key)[1]),
            "10 MB without length": lambda: (_pouring(), self.signed(b"", self._key)[1]),
        }

    def lie(self) -> bytes:
        """A STOP of somebody who waits for a message, or a failed delivery at a fancy price."""
        dice = self._dice
        if dice.random() < 0.5:
            return stop_event(f"lie-{dice.getrandbits(48)}", dice.choice(self._people))
        place = f"{self._campaign}-0-{dice.randrange(min(500, len(self._people)))}"
        url = f"http://127.0.0.1/webhooks/telnyx/default?ref={sign(place, self._secret)}"
        payload = {"id": f"lie-{dice.getrandbits(48)}", "parts": 9, "cost": {"amount": "9.99", "currency": "USD"},
                   "to": [{"phone_number": "+12125560000", "status": "delivery_failed"}], "webhook_url": url}  # fmt: skip
        data = {"event_type": "message.finalized", "id": f"lie-{dice.getrandbits(48)}", "payload": payload}
        return orjson.dumps({"data": data | {"occurred_at": "2035-01-01T00:00:00Z"}})

    def signed(self, body: bytes, key: SigningKey, shift_s: float = 0.0) -> tuple[bytes, Headers]:
        stamp = str(int(time.time() + shift_s))
        signature = base64.b64encode(key.sign(stamp.encode() + b"|" + body).signature).decode()
        return body, Headers({SIGNATURE: signature, TIMESTAMP: stamp})

    def altered(self, how: Callable[[bytes], bytes]) -> Forged:
        body, headers = self.signed(self.lie(), self._key)
        return how(body), headers

    def body_bit(self) -> Forged:
        at = self._dice.randrange(8 * 100)
        return self.altered(lambda body: _flip(body, at))

    def signature_bit(self) -> Forged:
        body, headers = self.signed(self.lie(), self._key)
        flipped = _flip(base64.b64decode(headers[SIGNATURE]), self._dice.randrange(512))
        headers[SIGNATURE] = base64.b64encode(flipped).decode()
        return body, headers

    def stamped_anew(self) -> Forged:
        body, headers = self.signed(self.lie(), self._key, -self._dice.uniform(302, 1e6))
        headers[TIMESTAMP] = str(int(time.time()))
        return body, headers

    def written_anew(self) -> Forged:
        return self.altered(lambda body: orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2))

    def doubled(self, name: str) -> Forged:
        body, headers = self.signed(self.lie(), self._key)
        headers.add(name, headers[name])
        return body, headers


def _flip(data: bytes, at: int) -> bytes:
    found = bytearray(data)
    found[at // 8] ^= 1 << at % 8
    return bytes(found)


async def _pouring() -> AsyncIterator[bytes]:
    for _ in range(HUGE >> 16):
        yield _HUGE[: 1 << 16]
        await asyncio.sleep(0.005)


async def _play(run: Run, *how: str) -> None:
    people, forged, huge = run.pick(500, 6_000), run.pick(1_200, 20_000), run.pick(40, 400)
    run.settings |= {"messages": people, "forged": forged, "of_10_MB": huge}
    async with stage(senders=6, rate=40, account_rate=run.pick(60, 120)) as play:
        serve = await play.serve(*how)
        await play.worker()
        crowd = play.people(people)
        made = await play.push(people=crowd)
        forger = Forger(run, play.config.seed, crowd, made.campaign_id or "")
        done = asyncio.Event()
        beside = [asyncio.create_task(_weigh(serve.pid, done)), asyncio.create_task(_genuine(play, done))]
        before = await _refused(play)
        answers, forging_s = await _forge(play, forger, forged, huge)
        done.set()
        peak, (stopped, worst_s) = await beside[0], await beside[1]
        counted = await _refused(play) - before
        run.did(f"{forged} forged webhooks of {len(forger.kinds)} kinds, {huge} bodies of 10 MB among them")
        taken = {kind: n for kind, n in answers.items() if kind[1] == 200}
        run.expect(
            "none is answered 200", not taken, taken or dict(Counter(status for _, status in answers.elements()))
        )
        run.expect("each is counted", counted == forged, f"{counted} of {forged}")
        run.expect("memory is bounded", peak < LARGEST_GROWTH, f"{peak >> 20} MB more at most")
        run.expect("genuine ones are answered in 2 s", worst_s < ANSWER_S, f"{len(stopped)}, worst {worst_s:.2f} s")
        index = await play.outbox.profile_index(PROFILE_ID)
        out = {int(each) for each in await play.redis.smembers(play.outbox.keys.of("optout", index))}
        run.expect("opted out are those who said so", out == stopped, f"{len(out)}, {len(out - stopped)} by a lie")
        run.figures |= {
            "peak_growth_mb": peak >> 20,
            "genuine_worst_s": round(worst_s, 3),
            "forging_s": round(forging_s, 1),
        }
        await play.drained()
        await play.receipted()
        run.judged(await play.judge())
        reached = (await play.counts()).get("submitted", 0)
        run.expect("nobody was left out for a lie", reached == people, reached)


async def _forge(play: Stage, forger: Forger, forged: int, huge: int) -> tuple[Counter[tuple[str, int]], float]:
    """All of them, 20 small and 20 huge ones at a time; (kind, status) → how many, and how long it took."""
    small = [kind for kind in forger.kinds if not kind.startswith("10 MB")]
    large = [kind for kind in forger.kinds if kind.startswith("10 MB")]
    lists = [[small[n % len(small)] for n in range(forged - huge)], [large[n % len(large)] for n in range(huge)]]
    answers: Counter[tuple[str, int]] = Counter()
    url = f"http://127.0.0.1:{play.serve_port}/webhooks/telnyx/default"

    async def pour(session: aiohttp.ClientSession, kinds: Iterator[str]) -> None:
        for kind in kinds:
            body, headers = forger.kinds[kind]()
            try:
                async with session.post(url, data=body, headers=headers) as answer:
                    answers[kind, answer.status] += 1
            except (aiohttp.ClientError, ConnectionError):
                answers[kind, 413] += 1  # it was hung up on in the middle of its body

    began = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as session:
        await asyncio.gather(*(pour(session, kinds) for kinds in map(iter, lists) for _ in range(20)))
    return answers, time.monotonic() - began


async def _genuine(play: Stage, done: asyncio.Event) -> tuple[set[int], float]:
    """STOPs that the carrier signed, of people whom nobody writes to; who, and the longest that an answer took."""
    signer, stopped, worst_s = Signer(play.config.seed), set(), 0.0
    url = f"http://127.0.0.1:{play.serve_port}/webhooks/telnyx/default"
    async with aiohttp.ClientSession() as session:
        while not done.is_set():
            person = 12_125_700_000 + len(stopped)
            body = stop_event(f"true-{person}", person)
            began = time.monotonic()
            async with session.post(url, data=body, headers=signer.headers(body)) as answer:
                taken = answer.status == 200
            worst_s = max(worst_s, time.monotonic() - began if taken else math.inf)
            if taken:
                stopped.add(person)
            await asyncio.sleep(0.02)
    return stopped, worst_s


async def _weigh(pid: int, done: asyncio.Event) -> int:
    """By how many bytes the resident memory of a process grew, at most."""
    first = most = _resident(pid)
    while not done.is_set():
        most = max(most, _resident(pid))
        await asyncio.sleep(0.01)
    return most - first


def _resident(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


async def _refused(play: Stage) -> int:
    async with aiohttp.request("GET", f"http://127.0.0.1:{play.serve_port}/healthz") as answer:
        return int((await answer.json())["webhooks"].get("refused", 0))


async def _control(run: Run) -> None:
    await _play(run, "--without", "signature", "--without", "bodies")


@experiment(
    18, "forged webhooks by the thousand", control=_control, without="the look at the signature and at a body's length"
)
async def forged_webhooks(run: Run) -> None:
    await _play(run)
