"""A worker's dealings with Redis in short words, and a server that goes back to an earlier dump of its data."""

from collections.abc import Callable, Iterable

from tests.redis.conftest import Rig, chunk_of, people
from volley.campaign import Campaign
from volley.carrier.telnyx import Carrier
from volley.outbox.dispatch import Outcomes
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, OUTCOME, Flight, Grant
from worker.circuit import Circuit
from worker.delivery import Delivery
from worker.drain import Drain
from worker.memory import Memory
from worker.recovery import Recovery
from worker.settling import Settler
from worker.texts import Held, Texts

Dump = dict[bytes, bytes]


class Hand:
    """What a worker does to Redis, and remembers."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.memory = Memory()
        self.settler = Settler(rig.outbox, self.memory)
        self.recovery = Recovery(rig.outbox, self.memory, self.settler)

    async def take(self, want: int = 100) -> Flight:
        flight = await self.rig.take(want)
        await self.recovery.heard(flight.run)
        if flight.grants:
            self.memory.took(flight, 60_000_000)
        return flight

    async def settle(self, flight: Flight, state: str, *positions: int, flags: int = 0) -> str:
        wanted = positions or range(len(flight.grants))
        packed = b"".join(OUTCOME.pack(n, state.encode(), flags, 0, 0, -1) for n in wanted)
        outcomes = [Outcomes(flight.token, packed)]
        self.memory.settled(outcomes, b"")
        return (await self.rig.outbox.dispatch.settle(outcomes)).decode()

    async def give_back(self, flight: Flight) -> None:
        assert set(await self.settle(flight, ".", flags=NO_ATTEMPT | AT_HEAD)) == {"."}

    async def recover(self) -> None:
        run, _ = await self.rig.outbox.dispatch.reassert()
        await self.recovery.heard(run)


class Overtaken(Texts):
    """While texts are read something else happens."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    async def fetch(self, grants: Iterable[Grant]) -> Held:
        held = await super().fetch(grants)
        self.meanwhile()
        return held


class Worker:
    """The parts of a real one that take and repeat."""

    def __init__(self, rig: Rig, carrier: Carrier) -> None:
        self.memory = Memory()
        self.texts, self.settler = Overtaken(rig.outbox, None), Settler(rig.outbox, self.memory)
        self.recovery = Recovery(rig.outbox, self.memory, self.settler)
        circuit = Circuit(rig.outbox.dispatch)
        self.delivery = Delivery(carrier, self.texts, self.settler, circuit, slots=50, max_attempts=5)
        self.drain = Drain(
            rig.outbox, self.texts, self.delivery, self.memory, self.recovery, concurrency=50, http_timeout_s=5
        )
        self._dispatch = rig.outbox.dispatch

    async def recover(self) -> None:
        await self.recovery.heard((await self._dispatch.reassert())[0])

    async def repeat(self) -> int:
        """How many are posted."""
        await self.drain.repeat(10, honoured=True, give_up_us=86_400_000_000)
        return self.delivery.in_flight


async def dump(rig: Rig) -> Dump:
    return {key: await rig.redis.execute_command("DUMP", key) for key in await rig.redis.keys("volley:*")}  # type: ignore[attr-defined]


async def roll_back(rig: Rig, held: Dump, *hands: Hand) -> None:
    """The server is what it was then, and another process; these workers knew it."""
    await rig.redis.flushall()  # type: ignore[attr-defined]
    for key, value in held.items():
        await rig.redis.execute_command("RESTORE", key, 0, value)
    await rig.redis.hset(rig.keys.of("server"), mapping={"run": "f" * 40})
    for hand in hands:
        hand.memory.run = "f" * 40


async def hold_is_over(rig: Rig) -> None:
    assert (await rig.take()).why == "hold"
    await rig.redis.hset(rig.keys.of("server"), mapping={"until": 0})


async def begin(rig: Rig, n: int = 5, rate: float = 1000) -> Campaign:
    await rig.pool(1, rate)
    return await rig.push(chunk_of(people(n)))
