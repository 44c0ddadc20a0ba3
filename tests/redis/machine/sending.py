"""Rules of workers and of the carrier: take, barrier, post, settle, crash, and what the carrier says later."""

from hypothesis import strategies as st

from tests.redis.conftest import receipt
from tests.redis.machine.stage import PEOPLE, WORKERS, Hand, Stage, act, pick
from tests.redis.machine.truth import Aloft, place_of
from tests.redis.test_routes import british
from volley.outbox.dispatch import Outcomes
from volley.outbox.flights import AT_HEAD, NO_ATTEMPT, NOT_SPENT, OTHER_SENDER, OUTCOME, Flight, Grant

LIFE_US = 60_000_000
NOT_SENT = [
    (".", 0),
    (".", NO_ATTEMPT | AT_HEAD),
    (".", NOT_SPENT),
    (".", OTHER_SENDER),
    ("x", 0),
    ("o", 0),
    ("z", 0),
]
"""What the worker knows where the carrier has nothing: (state, flags)."""

POSTED = ["accepted", "accepted, answer lost", "on its way"]


class Sending(Stage):
    reaches: list[str]

    @act(
        4,
        want=st.integers(1, 4),
        overdue=st.booleans(),
        owner=st.integers(0, WORKERS - 1),
        slip=st.integers(0, 5),
        waits=st.booleans(),
    )
    def take(self, want: int, overdue: bool, owner: int, slip: int = 1, waits: bool = True) -> None:
        """Every sixth barrier fails: what it granted may or may not last, and is never posted."""
        if waits:
            self.hold_ends()
        synced, hand = slip > 0, self.hands[owner]
        flight = self.taken(want, overdue, synced)
        if flight.run != hand.memory.run:
            self.do(self.rig.outbox.dispatch.release(flight.token))
            self.do(hand.recovery.heard(flight.run))
            return
        aloft = Aloft(flight, owner, synced)
        self.truth.grant(aloft)
        assert all(self.may_serve(grant) for grant in flight.grants), "granted to a sender that may not send there"
        self.happened["granted" if synced else "granted, no barrier"] += len(flight.grants)
        if flight.grants:
            self.flights.append(aloft)
            if synced:
                hand.memory.took(flight, LIFE_US)

    @act(4, want=st.integers(1, 4), overdue=st.booleans(), owner=st.integers(0, WORKERS - 1), slip=st.integers(0, 5))
    def repeat(self, want: int, overdue: bool, owner: int, slip: int) -> None:
        """Doubts are due; unknown messages are POSTed once more, with the same key."""
        self.do(self.rig.look_now())
        rig, honoured = self.rig if slip else self.hasty, self.truth.honours_keys
        act = rig.repeat(want, honoured=honoured, life_s=-1.0 if overdue else 60.0)
        aloft = Aloft(self.surely(act) if slip else self.do(act), owner, slip > 0, repeats=True)
        self.truth.grant(aloft)
        self.happened["repeated"] += len(aloft.flight.grants)
        for grant in aloft.flight.grants:
            campaign = next(each for each in self.campaigns if each.id == grant.campaign)
            assert honoured or campaign.on_unknown == "retry", "repeated at a risk that nobody wanted"
            if not honoured:
                self.truth.risked.add(place_of(grant))
        if aloft.flight.grants:
            self.flights.append(aloft)

    @act(after_s=st.sampled_from([0, 86_400]))
    def give_up(self, after_s: int) -> None:
        self.do(self.rig.outbox.chores.give_up(after_s * 1_000_000, 5))

    def taken(self, want: int, overdue: bool, synced: bool) -> Flight:
        act = (self.rig if synced else self.hasty).take(want, life_s=-1.0 if overdue else 60.0)
        return self.surely(act) if synced else self.do(act)

    def may_serve(self, grant: Grant) -> bool:
        campaign = next(each for each in self.campaigns if each.id == grant.campaign)
        home = "GB" if grant.to in british(PEOPLE) else "US"
        if campaign.sender:
            return grant.sender == (2 if home == "GB" else 1)
        return self.reaches[grant.sender - 1] in ("*", home)

    def aloft(self, n: int, *, busy: bool = False) -> Aloft | None:
        """One of the flights; `busy`: of those in which something is still to be sent."""
        flights = [each for each in self.flights if each.untried()] if busy else self.flights
        return flights[n % len(flights)] if flights else None

    @act(4, n=pick, some=pick, outcome=st.sampled_from([*POSTED, *POSTED, *NOT_SENT]))
    def post(self, n: int, some: int, outcome: str | tuple[str, int]) -> None:
        """On time, or long after its flight was given up: the clock was looked at before, and the bytes leave now.

        Or refused, throttled, too late, no connection: the carrier has provably nothing.
        """
        aloft = self.aloft(n, busy=True)
        for grant in self.chosen(aloft, some):
            if isinstance(outcome, tuple):
                aloft.told[grant.position] = outcome
                continue
            if outcome == "on its way":
                self.truth.on_the_way.append(grant)
            else:
                self.truth.accept(grant)
            aloft.told[grant.position] = ("a" if outcome == "accepted" else "?", 0)
            self.happened["posted"] += 1

    @staticmethod
    def chosen(aloft: Aloft | None, some: int) -> list[Grant]:
        return [grant for grant in aloft.untried() if some >> grant.position & 1] if aloft else []

    @act(4, n=pick, waits=st.booleans(), some=pick)
    def settle(self, n: int, waits: bool, some: int) -> None:
        """What is told of a flight, in part or once more: the first answer may have been lost."""
        aloft = self.aloft(n)
        if aloft is None or aloft.owner is None:
            return
        told = {at: outcome for at, outcome in aloft.told.items() if some >> at & 1}
        if told:
            self.settled(aloft, told, 30_000_000 * waits)

    def settled(self, aloft: Aloft, told: dict[int, tuple[str, int]], delay_us: int) -> None:
        packed = b"".join(
            OUTCOME.pack(at, state.encode(), flags, delay_us, 0, -1) for at, (state, flags) in told.items()
        )
        outcomes = [Outcomes(aloft.flight.token, packed)]
        if aloft.owner is not None and not aloft.repeats:
            self.hands[aloft.owner].memory.settled(outcomes, b"attempts")
        mask = self.do(self.rig.outbox.dispatch.settle(outcomes, b"attempts")).decode()
        for at, now in zip(told, mask, strict=True):
            self.happened[f"settled as {now}"] += 1
            assert now != "." or told[at][0] == ".", "ready, and nobody said so"
            assert not (aloft.repeats and now == "."), "ready, and its first attempt may have arrived"
            if now == ".":
                self.truth.give_back(place_of(aloft.flight.grants[at]))

    @act(n=pick)
    def release(self, n: int) -> None:
        """A flight whose barrier failed is given back by its token, perhaps again and again; none of it is ever posted."""
        aloft = self.aloft(n)
        if aloft and (not aloft.synced or (not aloft.told and aloft.owner is not None)):
            aloft.given_back = True
            every = {grant.position: (".", NO_ATTEMPT | AT_HEAD) for grant in aloft.flight.grants}
            if aloft.synced:
                aloft.told = dict(every)
                self.settled(aloft, every, 0)
            else:
                self.do(self.rig.outbox.dispatch.release(aloft.flight.token))

    @act(owner=st.integers(0, WORKERS - 1))
    def crash(self, owner: int) -> None:
        """What it had posted is on its way, and what it knew is lost."""
        for aloft in self.flights:
            if aloft.owner == owner:
                aloft.owner = None
        self.hands[owner] = Hand(self.rig.outbox)

    @act(2)
    def reap(self) -> None:
        self.happened["reaped"] += self.do(self.rig.outbox.chores.reap(50, -1_000_000))

    @act(2, n=pick, gets_there=st.booleans())
    def arrive(self, n: int, gets_there: bool) -> None:
        """A POST that nobody waits for any more reaches the carrier, or does not."""
        if self.truth.on_the_way:
            grant = self.truth.on_the_way.pop(n % len(self.truth.on_the_way))
            if gets_there:
                self.truth.accept(grant)

    @act(n=pick)
    def hear(self, n: int) -> None:
        """A receipt, the first or once more."""
        had = sorted(self.truth.accepted)
        if had:
            self.surely(self.rig.outbox.apply_receipts([receipt(*had[n % len(had)])]))
            self.happened["heard of"] += 1

    @act(opens=st.sampled_from([True, False, False]))
    def time_passes(self, opens: bool) -> None:
        """Rests end; the carrier seems to be away, or answers again."""
        self.rests_end()
        self.circuit(opens)

    def rests_end(self) -> None:
        """All that waits in `later` is due."""
        for member in self.do(self.client.zrange(self.rig.keys.of("later"), 0, -1)):
            self.do(self.client.zadd(self.rig.keys.of("later"), {member: 1}))

    def circuit(self, opens: bool) -> None:
        """The carrier seems to be away, for no time at all; or answers."""
        if opens:
            self.do(self.rig.outbox.dispatch.trip(self.do(self.rig.now_us()), "no answer"))
            self.do(self.client.hset(self.rig.keys.of("circuit"), mapping={"until": 0}))
        else:
            self.do(self.rig.outbox.dispatch.close(self.do(self.rig.now_us())))

    def look(self, owner: int) -> None:
        """A worker looks which server this is, and tells a new one what it did."""
        run, _ = self.do(self.rig.outbox.dispatch.reassert())
        self.do(self.hands[owner].recovery.heard(run))

    @act()
    def hold_ends(self) -> None:
        for owner in range(WORKERS):
            self.look(owner)
        self.do(self.client.hset(self.rig.keys.of("server"), mapping={"until": 0, "spare": 0}))
