"""Breadth first through all worlds, so that the trace to a broken promise is a shortest one."""

from collections import Counter, deque
from typing import NamedTuple

from tests.model.actors import steps
from tests.model.promises import at_rest, broken
from tests.model.world import Rules, Store, World, first

MANY_MOVES = ("Redis comes back", "re-assert")
"""Steps that are not one move of a message."""


class Found(NamedTuple):
    """`wrong` is '' where all promises hold; `trace` leads to it, a line a step. `moves`: state changes seen, by script."""

    worlds: int
    steps: int
    wrong: str
    trace: tuple[str, ...]
    moves: Counter[str]


class _Search:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        start = first(rules)
        self.worlds = [start]
        self.index = {start: 0}
        self.came: list[tuple[int, str]] = [(0, "")]
        self.back: list[list[int]] = [[]]
        self.steps = 0
        self.moves: Counter[str] = Counter()

    def visit(self, at: int) -> str:
        """All that follows this world; the first promise broken there."""
        world = self.worlds[at]
        for name, after, fault in steps(world, self.rules):
            if fault and not world.faults:
                continue
            self.steps += 1
            workers = tuple(sorted(after.workers))
            if fault or workers != after.workers:
                after = after._replace(workers=workers, faults=world.faults - fault)
            there = self.index.get(after)
            if there is None:
                there = self._add(after, at, name)
                if wrong := broken(after, self.rules):
                    return wrong
            if not fault:
                self.back[there].append(at)
        return ""

    def _add(self, world: World, at: int, name: str) -> int:
        there = self.index[world] = len(self.worlds)
        self.worlds.append(world)
        self.came.append((at, name))
        self.back.append([])
        for old, new in zip(self.worlds[at].now.messages, world.now.messages, strict=True):
            if old.state != new.state and name not in MANY_MOVES:
                self.moves[old.state + new.state] += 1
        return there

    def trace(self, at: int) -> tuple[str, ...]:
        lines = []
        while at:
            at_before, name = self.came[at]
            lines.append(f"{name:36} {told(self.worlds[at])}")
            at = at_before
        return tuple(reversed(lines))

    def stuck(self) -> int | None:
        """A world from which, with no further fault, nothing comes to rest; None if there is none."""
        alive = [at_rest(world) for world in self.worlds]
        queue = deque(at for at, well in enumerate(alive) if well)
        while queue:
            for before in self.back[queue.popleft()]:
                if not alive[before]:
                    alive[before] = True
                    queue.append(before)
        return next((at for at, well in enumerate(alive) if not well), None)


def told(world: World) -> str:
    """A world on a line: states with flights, what would come back, workers, accepted."""

    at_work = ", ".join(f"{w.at} {w.kind}{w.token}{' slow' * w.slow}" for w in world.workers if w.at != "idle")
    accepted = " ".join(str(carrier.accepted) for carrier in world.carrier)
    server = f" [{world.now.server}]" * bool(world.now.server)
    redis = f"{_states(world.now)}{server} | kept {_states(world.kept)}"
    return f"{redis} | {at_work or 'all idle'} | accepted {accepted}"


def _states(store: Store) -> str:
    return " ".join(f"{m.state}{m.flight and f'({m.flight}{m.token})'}" for m in store.messages)


def explore(rules: Rules) -> Found:
    """All worlds that these rules allow, or those up to the first broken promise."""
    search, at = _Search(rules), 0
    while at < len(search.worlds):
        if wrong := search.visit(at):
            return Found(len(search.worlds), search.steps, wrong, search.trace(len(search.worlds) - 1), search.moves)
        at += 1
    stuck = search.stuck()
    wrong, trace = ("comes to rest no more", search.trace(stuck)) if stuck is not None else ("", ())
    return Found(len(search.worlds), search.steps, wrong, trace, search.moves)
