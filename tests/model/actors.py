"""Who acts: workers, the carrier, people, time and misfortune. Each gives all that may happen next in a world."""

from collections.abc import Iterator

from tests.model import scripts
from tests.model.world import IDLE, MOST, Memory, Message, Rules, Step, Store, Worker, World, with_carrier, with_worker
from volley.state import MOVES

LOOSE = 2
COUNTED = 6
MEMORABLE = frozenset({"accepted", "perhaps", "refused", "opted out"})
"""Outcomes after which a message may not simply be forgotten to have gone out."""


def steps(world: World, rules: Rules) -> Iterator[Step]:
    for index, worker in enumerate(world.workers):
        if index and worker == world.workers[index - 1]:
            continue  # its twin does the same
        yield from _work(world, index, worker, rules)
        if world.faults:
            yield from _misfortune(world, index, worker, rules)
        yield from _remember(world, index, worker, rules)
    for index in range(rules.messages):
        yield from _carrier(world, index, rules)
        yield from _chores(world, index, rules)
    yield from _server(world, rules)
    if rules.people:
        yield from _people(world, rules)


def _fresh(world: World, rules: Rules) -> int:
    """A token that nobody has. A counter in Redis is what Redis remembers of it."""
    if not rules.random_tokens:
        return world.now.counter + 1
    used = {message.token for store in (world.now, world.kept) for message in store.messages}
    used.update(worker.token for worker in world.workers)
    used.update(held.token for worker in world.workers for held in worker.memory)
    return next(token for token in range(1, 99) if token not in used)


def _work(world: World, index: int, worker: Worker, rules: Rules) -> Iterator[Step]:
    match worker.at:
        case "idle":
            yield from _begin(world, index, worker, rules)
        case "asked":
            kept = world.now if rules.barrier and rules.covered else world.kept
            granted = with_worker(world, index, worker._replace(at="granted"))
            yield Step("barrier", granted._replace(kept=kept))
            yield Step("barrier fails", with_worker(world, index, worker._replace(at="releasing")), fault=True)
        case "releasing":
            outcome = "late" if worker.kind == "s" else "perhaps"
            now = scripts.settle(world.now, worker.message, worker.token, outcome, worker.kind, rules)
            yield Step("release", with_worker(world, index, _rested(worker, ""), now))
            if now != world.now:
                yield Step("release, answer lost", world._replace(now=now), fault=True)
            yield Step("release is given up", with_worker(world, index, _rested(worker, "")), fault=True)
        case "granted":
            late = worker.slow and rules.looks_at_clock
            if not late:
                yield Step("POST", with_worker(world, index, worker._replace(at="wire")))
            outcome = "late" if late else "unsent"
            yield Step(f"not sent: {outcome}", _told(world, index, worker, outcome))
        case "wire":
            yield Step("no answer", _loosened(_told(world, index, worker, "perhaps"), worker), fault=True)
            yield from _answer(world, index, worker, rules)
        case "told":
            settled = worker.message, worker.token, worker.outcome, worker.kind
            now = scripts.settle(world.now, *settled, rules)
            yield Step(
                f"settle {worker.outcome}", with_worker(world, index, _rested(worker, worker.outcome, rules), now)
            )
            if now != world.now:
                yield Step(f"settle {worker.outcome}, answer lost", world._replace(now=now), fault=True)


def _rested(worker: Worker, outcome: str, rules: Rules | None = None) -> Worker:
    """Idle again. What it settled it remembers for a while."""
    memory = worker.memory
    remembers = rules and rules.reasserts and not rules.covered and worker.kind == "s"
    if rules and remembers and (outcome in MEMORABLE or not rules.claims_with_care):
        memory = (*memory, Memory(worker.message, worker.token, worker.generation, outcome))
    return IDLE._replace(memory=memory, asserted=worker.asserted if memory else 2)


def _begin(world: World, index: int, worker: Worker, rules: Rules) -> Iterator[Step]:
    store = world.now
    if store.server == "new":
        if rules.holds:
            yield Step("take is held", world._replace(now=store._replace(server="hold")))
            return
        store = store._replace(server="")
    if not scripts.may_go(store) or (not rules.random_tokens and store.counter >= COUNTED):
        return
    token = _fresh(world, rules)
    for at, message in enumerate(store.messages):
        if message.state == "." and message.waits:
            now, kind = scripts.take(store, at, token), "s"
        elif (
            not store.out
            and scripts.may_repeat(message, rules)
            and (rules.covered or world.kept.messages[at].state == "?")
        ):
            now, kind = scripts.repeat(store, at, token, rules), "r"
        else:
            continue
        if now.messages[at].state == "o":
            yield Step("take finds an opt-out", world._replace(now=now))
            continue
        if not rules.random_tokens:
            now = now._replace(counter=token)
        busy = worker._replace(at="asked", message=at, token=token, kind=kind, generation=now.messages[at].generation)
        after = with_worker(world, index, busy, now)
        if world.said or world.said_out:
            after = after._replace(broken="granted after a pause, cancel or opt-out was acknowledged")
        yield Step("take" if kind == "s" else "repeat", after)
        yield Step(f"{kind} is granted, and nobody hears of it", world._replace(now=now), fault=True)


def _told(world: World, index: int, worker: Worker, outcome: str) -> World:
    return with_worker(world, index, worker._replace(at="told", outcome=outcome))


def _answer(world: World, index: int, worker: Worker, rules: Rules) -> Iterator[Step]:
    """The carrier has got the POST and decides. Its answer may be lost."""
    message, generation = worker.message, worker.generation
    accepted = _accept(world, message, generation, rules)
    yield Step("accepted", _told(accepted, index, worker, "accepted"))
    yield Step("accepted, answer lost", _told(accepted, index, worker, "perhaps"), fault=True)
    if not (rules.honoured and generation in world.carrier[message].keys):
        for outcome in ("again", "refused", "opted out"):
            yield Step(f"answer: {outcome}", _told(world, index, worker, outcome))


def _loosened(world: World, worker: Worker) -> World:
    """Nobody waits for this POST any more; the carrier may still get it."""
    carrier = world.carrier[worker.message]
    if carrier.loose.count(worker.generation) >= LOOSE:
        return world
    loose = tuple(sorted((*carrier.loose, worker.generation)))
    return with_carrier(world, worker.message, carrier._replace(loose=loose))


def _accept(world: World, message: int, generation: int, rules: Rules) -> World:
    carrier = world.carrier[message]
    if generation in carrier.keys and rules.honoured:
        return world  # the answer of the first time, and no second text
    keys = tuple(sorted({*carrier.keys, generation}))
    return with_carrier(world, message, carrier._replace(accepted=min(2, carrier.accepted + 1), keys=keys))


def _carrier(world: World, message: int, rules: Rules) -> Iterator[Step]:
    loose = world.carrier[message].loose
    for generation in sorted(set(loose)):
        left = list(loose)
        left.remove(generation)
        gone = with_carrier(world, message, world.carrier[message]._replace(loose=tuple(left)))
        yield Step("carrier accepts, nobody waits", _accept(gone, message, generation, rules))
        yield Step("carrier never gets it", gone)
    if world.carrier[message].accepted:
        now = scripts.receipt(world.now, message, rules)
        if now != world.now:
            yield Step("receipt", world._replace(now=now))


def _chores(world: World, index: int, rules: Rules) -> Iterator[Step]:
    message = world.now.messages[index]
    held = world.now.server and rules.holds_reaping
    if not held and message.flight and not any(_holds(worker, message) for worker in world.workers):
        yield Step("reap", world._replace(now=scripts.reap(world.now, index, rules)))
    if rules.policy == "give-up" and message.doubt and not message.flight:
        yield Step("give up", world._replace(now=scripts.give_up(world.now, index)))
    if message.state == "." and world.now.campaign in ("c", "e"):
        yield Step("sweep", world._replace(now=scripts.sweep(world.now, index)))


def _holds(worker: Worker, message: Message) -> bool:
    """Whether somebody settles this flight before it is reaped."""
    return worker.at != "idle" and worker.token == message.token and not worker.slow


def _misfortune(world: World, index: int, worker: Worker, rules: Rules) -> Iterator[Step]:
    if worker.at == "idle":
        return
    if rules.crashes:
        died = with_worker(world, index, IDLE)
        yield Step("crash", _loosened(died, worker) if worker.at == "wire" else died, fault=True)
    early = worker.at in ("asked", "releasing", "granted")
    if rules.zombies and not worker.slow and (rules.covered or early):
        yield Step("paused for long", with_worker(world, index, worker._replace(slow=True)), fault=True)


def _server(world: World, rules: Rules) -> Iterator[Step]:
    now = world.now
    kept = now._replace(server="")
    if world.kept != kept:
        yield Step("written by itself", world._replace(kept=kept))
    if rules.failovers and world.faults:
        yield Step("Redis comes back", _came_back(world), fault=True)
    if now.server == "hold" and all(worker.asserted or worker.slow for worker in world.workers):
        yield Step("the hold is over", world._replace(now=now._replace(server="")))


def _came_back(world: World) -> World:
    workers = []
    for worker in world.workers:
        at = "releasing" if worker.at == "asked" else worker.at  # its connection is gone, and so is its barrier
        nothing = at in ("idle", "releasing") and not worker.memory
        workers.append(worker._replace(at=at, asserted=2 if nothing else 0))
    return world._replace(now=world.kept._replace(server="new"), workers=tuple(workers))


def _remember(world: World, index: int, worker: Worker, rules: Rules) -> Iterator[Step]:
    """Claims first, then what is known of them once more. Forgets after as long as Redis is ever behind."""
    if worker.memory and world.kept.messages == world.now.messages and not world.now.server:
        yield Step("forget", with_worker(world, index, worker._replace(memory=(), asserted=2)))
    if not rules.reasserts or worker.asserted == 2:
        return
    now = world.now
    if worker.asserted == 0:
        for claim in _claims(worker, rules) if now.server or not rules.claims_in_time else ():
            now = scripts.reassert(now, claim.message, claim.token, claim.generation, rules)
        yield Step("re-assert", with_worker(world, index, worker._replace(asserted=1), now))
        return
    for held in worker.memory:
        now = scripts.settle(now, held.message, held.token, held.outcome, "s", rules)
        if held.outcome == "accepted" and rules.claims_with_care:
            now = scripts.receipt(now, held.message, rules)
    yield Step("settle again", with_worker(world, index, worker._replace(asserted=2), now))


def _claims(worker: Worker, rules: Rules) -> Iterator[Memory]:
    yield from worker.memory
    flying = worker.at not in ("idle", "releasing") and worker.kind == "s"
    not_sent = worker.outcome in scripts.AGAIN and rules.claims_with_care
    too_late = worker.at == "granted" and worker.slow and rules.claims_in_time
    if flying and not not_sent and not too_late:
        yield Memory(worker.message, worker.token, worker.generation, worker.outcome)


def _people(world: World, rules: Rules) -> Iterator[Step]:
    now = world.now
    yield from _acknowledged(world, rules)
    if now.campaign == "p":
        yield Step("resume", world._replace(now=now._replace(campaign="r"), said=""))
    if now.campaign in ("r", "p"):
        for act, new in (("pause", "p"), ("cancel", "c"), ("expire", "e")):
            if new != now.campaign:
                yield Step(act, world._replace(now=now._replace(campaign=new)), fault=True)
    if not now.out:
        yield Step("opt-out", world._replace(now=now._replace(out=True)), fault=True)
    for index, message in enumerate(now.messages):
        if message.state == "." and not (now.server and rules.holds_reaping):
            yield Step("poison", world._replace(now=scripts.poison(now, index)), fault=True)
        if message.state == "z" and "z." in MOVES and message.generation < MOST and now.campaign == "r":
            yield Step("redrive", world._replace(now=scripts.redrive(now, index)), fault=True)


def _acknowledged(world: World, rules: Rules) -> Iterator[Step]:
    """Who asked hears that it is so, after the barrier."""
    now = world.now
    kept: Store = now._replace(server="") if rules.barrier and rules.covered else world.kept
    if not rules.covered:
        return
    if now.campaign != "r" and world.said != now.campaign:
        yield Step("acknowledge", world._replace(kept=kept, said=now.campaign))
    if now.out and not world.said_out:
        yield Step("acknowledge the opt-out", world._replace(kept=kept, said_out=True))
