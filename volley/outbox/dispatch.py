"""What workers do to the outbox: plan, take, settle. Redis errors pass through, as the drain decides what they mean."""

from collections.abc import Sequence
from typing import NamedTuple

from volley.outbox import pool
from volley.outbox.flights import Flight, grants
from volley.outbox.pushes import planning
from volley.outbox.scripts import Scripts
from volley.state import MOVES_ARG

HORIZON_US = 50_000
URGENT_HORIZON_US = 250_000
CREDIT_US = 100_000
"""A grant's nominal slot is at most this long before its moment; see lua/take.lua."""
ROOM_US = 40_000
"""What may lie between a worker's last look at the clock and the carrier's own stamp: scheduling, a network that is uneven."""
SLACK_US = 300_000 - ROOM_US
"""What promise 3 leaves for both: the credit, and how long after its moment a grant may still go on the wire."""
LATE_US = SLACK_US - CREDIT_US
NEAR_US = 50_000
_FARTHEST_US = 250_000
EVICT_AFTER_US = 60_000_000


class Reach(NamedTuple):
    """How far ahead takes grant, and how late a grant may be credited and sent: all µs."""

    horizon_us: int
    urgent_horizon_us: int
    credit_us: int
    late_us: int


def reach(away_us: int) -> Reach:
    """For a Redis whose takes are answered after so long.

    Where it is far away a grant looks farther ahead, as the next comes late, and what may be credited shrinks in favour of how
    late it may be sent, as more of that has passed when the answer comes. From SLACK_US on nothing can be in time.
    """
    more = max(0, min(away_us, _FARTHEST_US) - NEAR_US)
    credit = max(0, CREDIT_US - more)
    return Reach(HORIZON_US + more, URGENT_HORIZON_US + more, credit, SLACK_US - credit)


NEAR = reach(0)


class Outcomes(NamedTuple):
    """What came of some messages of one flight: OUTCOME records, packed."""

    token: str
    packed: bytes


class Claim(NamedTuple):
    """A flight as its worker remembers it: which of its messages are its own is in the mask of `packed`.

    `age_us`: how long ago it was taken; `left_us`: how much longer its worker wants it to live.
    """

    token: str
    packed: bytes
    age_us: int
    left_us: int


class Dispatch:
    """Plan, take, settle, release, reassert, rest: each one script."""

    def __init__(self, scripts: Scripts, *, ledger_bound: int, pin_days: int) -> None:
        self.scripts = scripts
        self.ledger_bound = ledger_bound
        self.pin_days = pin_days

    async def members(self) -> dict[int, pool.Member]:
        """Sender index → number and profile index."""
        return await pool.members(self.scripts.client, self.scripts.keys)

    async def plan(self, campaign_id: str, index: int, packed_refs: bytes) -> tuple[bool, int, int, int]:
        """Puts a chunk into lanes: (planned, next chunk, chunks, refs in lanes)."""
        done, following, chunks, waiting, _ = await self.scripts.run(
            *planning(campaign_id, index, packed_refs, self.pin_days)
        )
        return bool(done), int(following), int(chunks), int(waiting)

    async def following(self, campaign_id: str) -> int:
        """The chunk that is to be planned next; -1: none for now. Chunks before it whose windows are closed wait until they open."""
        return int(await self.scripts.run("following", campaign_id))

    async def take(self, token: str, want: int, *, life_us: int, low_water: int, how: Reach = NEAR) -> Flight:
        """Grants up to `want` messages under `token`, on the disk before this returns."""
        now, packed, _, hungry, why, run = await self.scripts.durable(
            "take",
            token,
            want,
            how.horizon_us,
            how.urgent_horizon_us,
            how.credit_us,
            life_us,
            MOVES_ARG,
            self.ledger_bound,
            low_water,
            self.pin_days,
        )
        now_us = int(now)
        found = list(grants(packed, now_us)) if packed else []
        return Flight(token, now_us, found, [name.decode() for name in hungry], why.decode(), run.decode(), packed)

    async def repeat(
        self, token: str, want: int, *, honoured: bool, life_us: int, give_up_us: int, how: Reach = NEAR
    ) -> Flight:
        """Grants up to `want` unknown messages that may be asked about again, as take does, and with the same care.

        `honoured`: the carrier is known to heed the idempotency key; else only campaigns that would rather send twice are
        granted. `give_up_us`: how long after they became unknown messages of other campaigns may be given up. The horizon is
        that of urgent messages: with bulk's, a sender that is busy all day would never be free for the few that it repeats.
        """
        now, packed, _, _, why, run, due = await self.scripts.durable(
            "repeat",
            token,
            want,
            how.urgent_horizon_us,
            int(honoured),
            how.credit_us,
            life_us,
            self.ledger_bound,
            give_up_us,
        )
        now_us = int(now)
        found = list(grants(packed, now_us)) if packed else []
        return Flight(token, now_us, found, [], why.decode(), run.decode(), packed, repeats=True, next_us=int(due))

    async def settle(self, outcomes: Sequence[Outcomes], payload: bytes = b"") -> bytes:
        """Ends messages of flights: one byte an outcome, the state that holds now, `-` where it came too late to count.

        `payload` holds an AttemptRecord for each of the first outcomes, in order. Redis errors pass through: what was
        settled is not known then, and the same call may be made again.
        """
        pairs = [value for outcome in outcomes for value in outcome]
        mask: bytes = await self.scripts.run("settle", MOVES_ARG, self.pin_days, payload, *pairs)
        return mask

    async def release(self, token: str) -> None:
        """Gives back a flight of which nothing was posted."""
        await self.scripts.run("settle", MOVES_ARG, self.pin_days, b"", token, "*")

    async def reassert(self, claims: Sequence[Claim] = ()) -> tuple[str, list[int]]:
        """Tells a server that may have forgotten it what is in flight: (its run id, open messages of each flight now)."""
        words = [word for claim in claims for word in claim]
        run, still_open = await self.scripts.run("reassert", MOVES_ARG, self.pin_days, *words)
        return run.decode(), still_open

    async def rest(self, bucket: str, until_us: int, reason: str) -> bool:
        """Grants nothing from a bucket (a, m, p<profile index>, g<group>, s<sender index>) until a moment.

        False where it changes nothing.
        """
        return bool(await self.scripts.run("rest", bucket, until_us, reason[:200], EVICT_AFTER_US))

    async def trip(self, granted_us: int, why: str) -> tuple[bool, int]:
        """Opens the circuit: the carrier does not answer, as a message showed that was granted then.

        (False where that is no news, µs at which it was last opened).
        """
        news, at_us = await self.scripts.run("trip", granted_us, why[:200])
        return bool(news), int(at_us)

    async def close(self, granted_us: int) -> bool:
        """Closes the circuit: the carrier answers, as a message showed that was granted then. False where that is no news."""
        return bool(await self.scripts.run("close", granted_us))
