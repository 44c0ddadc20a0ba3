"""What the Lua scripts do to a message, one function a script: Store in, Store out. Moves not in volley/state.py raise."""

from tests.model.world import MOST, Message, Rules, Store, with_message
from volley.state import MOVES

AGAIN = frozenset({"late", "unsent", "again"})
"""Outcomes that prove that nothing was accepted and after which a message may go again."""
SETTLED = {"accepted": "a", "refused": "x", "opted out": "o", "perhaps": "?"}


class IllegalMove(AssertionError):
    """A script of the model makes a move that the table does not have."""


def move(message: Message, new: str) -> Message:
    if message.state + new not in MOVES:
        raise IllegalMove(message.state + new)
    return message._replace(state=new)


def may_go(store: Store) -> bool:
    """What take and repeat ask of campaign, person and server."""
    return store.campaign == "r" and not store.server


def take(store: Store, index: int, token: int) -> Store:
    message = store.messages[index]
    if store.out:
        return with_message(store, index, move(message, "o")._replace(waits=False))
    flying = move(message, "s")._replace(token=token, flight="s", waits=False)
    return with_message(store, index, flying)


def may_repeat(message: Message, rules: Rules) -> bool:
    allowed = rules.proven or rules.policy == "retry" or not rules.needs_proof
    return message.state == "?" and message.doubt and not message.flight and allowed


def repeat(store: Store, index: int, token: int, rules: Rules) -> Store:
    """Under a proven key, or where the policy wants it at any risk. The state stays `?`."""
    message = store.messages[index]
    generation = message.generation if rules.keeps_key else min(message.generation + 1, MOST)
    flying = message._replace(token=token, flight="r", generation=generation, risked=message.risked or not rules.proven)
    return with_message(store, index, flying)


def settle(store: Store, index: int, token: int, outcome: str, kind: str, rules: Rules) -> Store:
    """Only the holder of the token may; a stale one changes nothing."""
    message = store.messages[index]
    holds = message.flight == kind and message.token == token
    if not rules.fence:
        holds = message.state == "s" and kind == "s"
    if not holds:
        return store
    landed = message._replace(token=0, flight="")
    if kind == "r":
        return with_message(store, index, _repeated(landed, outcome, rules))
    return with_message(store, index, _settled(landed, outcome, store.campaign))


def _settled(message: Message, outcome: str, campaign: str) -> Message:
    if message.heard:
        return accepted(message._replace(heard=False))
    if outcome not in AGAIN:
        return move(message, SETTLED[outcome])._replace(doubt=outcome == "perhaps")
    if campaign in ("c", "e"):
        return move(message, campaign)
    if outcome == "late":
        return move(message, ".")._replace(waits=True)
    if message.generation + 1 >= MOST:
        return move(message, "z")
    return move(message, ".")._replace(waits=True, generation=message.generation + 1)


def _repeated(message: Message, outcome: str, rules: Rules) -> Message:
    """Accepted, or as unknown as before: the first attempt may have been accepted whatever this one came to."""
    if outcome != "accepted":
        return message
    if not rules.counts_early and message.risked and message.state == "?":
        message = message._replace(twice=True)
    return accepted(message, early=rules.counts_early) if message.state == "?" else message


def accepted(message: Message, *, early: bool = True) -> Message:
    """Accepted always merges, by whatever door it comes; where the state does not know that move, it is there already."""
    if message.state + "a" not in MOVES:
        return message
    twice = message.twice or (early and message.risked)
    return move(message, "a")._replace(doubt=False, waits=False, twice=twice, closed=False)


def receipt(store: Store, index: int, rules: Rules) -> Store:
    message = store.messages[index]
    if message.state == "s":
        return with_message(store, index, message._replace(heard=True))
    return with_message(store, index, accepted(message, early=rules.counts_early))


def reap(store: Store, index: int, rules: Rules) -> Store:
    message = store.messages[index]._replace(token=0, flight="")
    if message.state != "s":
        return with_message(store, index, message)
    if message.heard:
        return with_message(store, index, accepted(message._replace(heard=False)))
    if not rules.reaps_to_unknown:
        return with_message(store, index, move(message, ".")._replace(waits=True))
    return with_message(store, index, move(message, "?")._replace(doubt=True))


def give_up(store: Store, index: int) -> Store:
    return with_message(store, index, store.messages[index]._replace(doubt=False, closed=True))


def sweep(store: Store, index: int) -> Store:
    """Ends what waits of a campaign that is cancelled or over."""
    return with_message(store, index, move(store.messages[index], store.campaign)._replace(waits=False))


def poison(store: Store, index: int) -> Store:
    return with_message(store, index, move(store.messages[index], "z")._replace(waits=False))


def redrive(store: Store, index: int) -> Store:
    message = store.messages[index]
    back = move(message, ".")._replace(waits=True, generation=message.generation + 1)
    return with_message(store, index, back)


def reassert(store: Store, index: int, token: int, generation: int, rules: Rules) -> Store:
    """A live worker holds this message, and Redis may have forgotten it, or remember only a flight before it."""
    message = store.messages[index]
    if message.state == "z" and rules.claims_with_care:
        message = move(message, ".")  # it was redriven, and Redis has forgotten that too
    forgotten = message.state == "." or (message.state == "s" and message.token != token and rules.claims_with_care)
    if not forgotten:
        return store
    flying = message if message.state == "s" else move(message, "s")
    claimed = flying._replace(token=token, flight="s", waits=False, generation=generation)
    return with_message(store, index, claimed)
