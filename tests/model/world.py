"""What there is in the model: Redis now and as it would come back, workers, the carrier; and the rules of a run.

Everything is a tuple, so that a world can be compared and remembered. A flight of n messages is n flights of one here: its
mask makes them independent, and tests/redis/machine flies real ones.
"""

from typing import Literal, NamedTuple

MOST = 2
"""Attempts that count against a message before it is `z`."""

Policy = Literal["hold", "retry", "give-up"]


class Rules(NamedTuple):
    """One run of the model: its world, which faults may happen, and the protections. Each of these is switched off by a test."""

    messages: int = 1
    workers: int = 2
    policy: Policy = "hold"
    honoured: bool = True
    """The carrier does honour the idempotency key."""
    proven: bool = True
    """The probe has shown it."""
    covered: bool = True
    """Whatever Redis comes back with, the barrier has waited for it: its own disk, or its replicas."""
    crashes: bool = True
    zombies: bool = True
    failovers: bool = True
    faults: int = 3
    """How many may happen in one history; beyond these anything may, in any order."""
    people: bool = True
    """Somebody pauses, resumes, cancels, opts out, redrives; time ends the campaign."""

    barrier: bool = True
    reaps_to_unknown: bool = True
    random_tokens: bool = True
    fence: bool = True
    keeps_key: bool = True
    """A repeat of an unknown message has the key of its first attempt."""
    needs_proof: bool = True
    looks_at_clock: bool = True
    holds: bool = True
    """After a change of the server's run id takes are held while workers re-assert."""
    holds_reaping: bool = True
    """Reaping, which also sets poison aside, waits for the end of the hold."""
    reasserts: bool = True
    claims_with_care: bool = True
    """What is provably not sent is not re-asserted, and what is re-asserted goes before a flight that Redis remembers."""
    claims_in_time: bool = True
    """Re-assertion ends with the hold; a grant that is too late to go out is not re-asserted at all."""
    counts_early: bool = True
    """A repeat under an unproven key counts from its grant on, not only where its own answer says Accepted."""


class Message(NamedTuple):
    """As Redis has it. `token` and `flight` (s or r) are those of its flight, `waits`: a lane or `later` holds its ref."""

    state: str = "."
    token: int = 0
    flight: str = ""
    generation: int = 0
    waits: bool = True
    doubt: bool = False
    heard: bool = False
    risked: bool = False
    twice: bool = False
    """Counted as possibly twice."""
    closed: bool = False
    """Given up: counted as possibly lost."""


class Store(NamedTuple):
    """Redis. `campaign` r, p, c, e; `out`: the person has opted out; `server`: '' as ever, 'new' run id not noticed yet, 'hold'."""

    messages: tuple[Message, ...]
    campaign: str = "r"
    out: bool = False
    server: str = ""
    counter: int = 0


class Memory(NamedTuple):
    """A flight that a worker has settled a moment ago, and what came of it."""

    message: int
    token: int
    generation: int
    outcome: str


class Worker(NamedTuple):
    """`at`: idle · asked (take has run, no barrier yet) · releasing · granted · wire (the clock has been looked at, bytes leave, at
    once or late) · told (`outcome` is to be settled).

    `slow`: paused for longer than its flight lives. `asserted`: after a new run id 0 nothing, 1 claimed, 2 settled again.
    """

    at: str = "idle"
    message: int = 0
    token: int = 0
    kind: str = ""
    generation: int = 0
    outcome: str = ""
    slow: bool = False
    asserted: int = 2
    memory: tuple[Memory, ...] = ()


IDLE = Worker()


class Carrier(NamedTuple):
    """What the carrier made of one message. `loose`: POSTs on the wire that nobody waits for any more, by generation."""

    accepted: int = 0
    keys: tuple[int, ...] = ()
    loose: tuple[int, ...] = ()


class World(NamedTuple):
    """`kept` is what Redis would come back with. `said`: the pause, cancel or end that was acknowledged; `said_out`: the opt-out.

    `broken`: what a step did that no state shows.
    """

    now: Store
    kept: Store
    workers: tuple[Worker, ...]
    carrier: tuple[Carrier, ...]
    said: str = ""
    said_out: bool = False
    broken: str = ""
    faults: int = 0


class Step(NamedTuple):
    """`fault`: nothing that has to happen for messages to come to rest."""

    name: str
    world: World
    fault: bool = False


def first(rules: Rules) -> World:
    """Sealed and planned, nobody at work."""
    store = Store((Message(),) * rules.messages)
    return World(store, store, (IDLE,) * rules.workers, (Carrier(),) * rules.messages, faults=rules.faults)


def with_message(store: Store, index: int, message: Message) -> Store:
    messages = store.messages
    return store._replace(messages=(*messages[:index], message, *messages[index + 1 :]))


def with_worker(world: World, index: int, worker: Worker, now: Store | None = None) -> World:
    workers = world.workers
    changed = (*workers[:index], worker, *workers[index + 1 :])
    return world._replace(workers=changed, now=world.now if now is None else now)


def with_carrier(world: World, index: int, carrier: Carrier) -> World:
    every = world.carrier
    return world._replace(carrier=(*every[:index], carrier, *every[index + 1 :]))
