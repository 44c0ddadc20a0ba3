"""What really happened, whatever Redis thinks: who was sent what, what was acknowledged to whom."""

from collections import Counter
from dataclasses import dataclass, field

from tests.redis.conftest import Place
from volley.outbox.flights import Flight, Grant


def place_of(grant: Grant) -> Place:
    return grant.campaign, grant.chunk, grant.offset


@dataclass(slots=True, eq=False)
class Aloft:
    """A flight in its worker's hands. `synced`: its take came back with its barrier, so it may be posted.

    `told`: position → (state, flags) of what its worker knows; `owner` is None once that worker is dead.
    """

    flight: Flight
    owner: int | None
    synced: bool
    repeats: bool = False
    told: dict[int, tuple[str, int]] = field(default_factory=dict)
    given_back: bool = False

    def untried(self) -> list[Grant]:
        may = self.synced and self.owner is not None and not self.given_back
        return [grant for grant in self.flight.grants if may and grant.position not in self.told]


class Truth:
    """The carrier's book and the acknowledgements."""

    def __init__(self, *, honours_keys: bool = True) -> None:
        self.honours_keys = honours_keys
        self.accepted: Counter[Place] = Counter()
        self.keys: set[tuple[Place, int]] = set()
        self.on_the_way: list[Grant] = []
        self.held: set[Place] = set()
        """Granted with a barrier, and not known to have been given back."""
        self.granted: set[tuple[Place, int]] = set()
        """With their generations."""
        self.risked: set[Place] = set()
        """Repeated although the carrier may take that for another message."""
        self.stopped: set[str] = set()
        self.opted_out: set[int] = set()
        self.later: set[str] = set()
        self.nights: set[str] = set()

    def accept(self, grant: Grant) -> None:
        """The carrier has this POST. The same key once more is answered as the first time, where keys are honoured."""
        key = place_of(grant), grant.generation
        if not (self.honours_keys and key in self.keys):
            self.accepted[place_of(grant)] += 1
        self.keys.add(key)

    def grant(self, aloft: Aloft) -> None:
        """Raises AssertionError where that must not have been granted."""
        for grant in aloft.flight.grants:
            place = place_of(grant)
            if aloft.repeats:
                assert (place, grant.generation) in self.granted, "repeated with a new key"
            else:
                assert place not in self.held, "granted while it may be on its way"
            assert grant.campaign not in self.stopped, "granted after its campaign was stopped"
            assert grant.campaign not in self.later or aloft.repeats, "granted before its start"
            assert grant.campaign not in self.nights, "granted in the night"
            assert grant.to not in self.opted_out, "granted after its person had opted out"
            self.granted.add((place, grant.generation))
            if aloft.synced:
                self.held.add(place)

    def give_back(self, place: Place) -> None:
        self.held.discard(place)

    def check(self, states: dict[Place, str]) -> None:
        """Nobody twice; what the carrier has, or may get, is not thought of as not sent; what is submitted it has."""
        twice = {place for place, n in self.accepted.items() if n > 1}
        assert twice <= self.risked, "sent twice"
        out = {place_of(grant) for grant in self.on_the_way} | self.accepted.keys()
        assert not [place for place in out if states.get(place, "a") not in "s?a"], "sent, and thought not to be"
        submitted = {place for place, state in states.items() if state == "a"}
        assert submitted <= self.accepted.keys(), "submitted, and the carrier never had it"
