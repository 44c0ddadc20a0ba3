"""What must hold in every world that can be reached. Each promise gives '' or what is wrong."""

from tests.model.world import Carrier, Message, Rules, World


def broken(world: World, rules: Rules) -> str:
    """The first promise that does not hold, in words."""
    if world.broken:
        return world.broken
    for index, (message, carrier) in enumerate(zip(world.now.messages, world.carrier, strict=True)):
        wrong = (
            _twice(world, message, carrier, rules)
            or _known(message)
            or _in_place(world, index, message, carrier)
            or _true(message, carrier, rules)
        )
        if wrong:
            return wrong
    return ""


def at_rest(world: World) -> bool:
    """Nothing is ready, sending or on the wire, and nobody is about to say anything."""
    quiet = all(worker.at == "idle" for worker in world.workers) and not any(each.loose for each in world.carrier)
    return quiet and all(message.state not in ".s" and not message.flight for message in world.now.messages)


def _twice(world: World, message: Message, carrier: Carrier, rules: Rules) -> str:
    if carrier.accepted < 2:
        return ""
    if rules.policy != "retry" or rules.proven:
        return "accepted twice"
    counted = message.twice or message.state == "?"
    return "" if counted or not at_rest(world) else "accepted twice and not counted"


def _known(message: Message) -> str:
    """A message is in one state, and what belongs to that state is there, and nothing else."""
    if (message.state == "s") != (message.flight == "s"):
        return "sending without its flight"
    if message.flight == "r" and message.state not in "?a":
        return "a repeat of what is not unknown"
    if message.doubt != (message.state == "?" and not message.closed):
        return "unknown, and nobody looks after it"
    if message.waits != (message.state == "."):
        return "ready and in no lane, or in a lane and not ready"
    return ""


def _in_place(world: World, index: int, message: Message, carrier: Carrier) -> str:
    """Nothing is ready that the carrier has or may get. While takes are held, workers are just telling of it."""
    if message.state not in ".z" or world.now.server:
        return ""
    if carrier.accepted:
        return "ready, and the carrier has it"
    on_the_way = any(w.at == "wire" and w.message == index for w in world.workers)
    return "ready, and it may be on the wire" if carrier.loose or on_the_way else ""


def _true(message: Message, carrier: Carrier, rules: Rules) -> str:
    if message.state == "a" and not carrier.accepted:
        return "submitted, and the carrier has never had it"
    if rules.covered and message.state in "cexo" and carrier.accepted:
        return "ended as not sent, and the carrier has it"
    return ""
