"""Rules of people: pause, resume, cancel, opt out, redrive; and of time, which ends campaigns."""

from hypothesis import strategies as st

from tests.redis.conftest import PROFILE, people
from tests.redis.machine.stage import PEOPLE, Stage, act, pick
from volley.errors import UnusableInput
from volley.outbox.flights import refs
from volley.state import MOVES_ARG

ACTS = ["pause", "resume", "cancel", "expire", "opt out", "redrive"]


class People(Stage):
    @act(n=pick, act=st.sampled_from([*ACTS, "resume", "resume", "redrive"]), heard=st.booleans())
    def ask(self, n: int, act: str, heard: bool) -> None:
        """Acknowledged, or the answer is lost before the barrier: then it may be so, or not."""
        match act:
            case "opt out":
                self.opt_out(n % PEOPLE)
            case "redrive":
                self.redrive(n)
            case _ if heard:
                self.control(n, act)
            case _:
                self.control_unheard(n, act[0])

    def control(self, n: int, act: str) -> None:
        """From the acknowledgement on nothing of it is granted, whatever happens to the server."""
        if campaign := self.one(n):
            if act == "resume":
                self.truth.stopped.discard(campaign.id)
            try:
                if act in ("pause", "resume"):
                    self.surely(getattr(self.rig.outbox, act)(campaign.id))
                else:
                    self.surely(self.rig.outbox.sweep(campaign.id, act[0]))
            except UnusableInput:
                return  # it is over, and stays so
            if act != "resume" and not (act == "pause" and self.finished(campaign.id)):
                self.truth.stopped.add(campaign.id)

    def finished(self, campaign_id: str) -> bool:
        """A pause holds nothing then: what is redriven later goes."""
        view = self.do(self.rig.outbox.campaign(campaign_id))
        return view is not None and view.state == "finished"

    def control_unheard(self, n: int, act: str) -> None:
        if campaign := self.one(n):
            if act in "ce":
                self.do(self.rig.outbox.scripts.run("sweep", MOVES_ARG, campaign.id, act, 1))
            else:
                if act == "r":
                    self.truth.stopped.discard(campaign.id)
                self.do(self.rig.outbox.scripts.run("control", campaign.id, act, b"", b""))

    def opt_out(self, person: int) -> None:
        self.surely(self.rig.outbox.add_optouts(PROFILE, people(1, person)))
        self.truth.opted_out.update(people(1, person))

    def redrive(self, n: int) -> None:
        """What is dead was provably never sent: it may be granted once more."""
        if campaign := self.one(n):
            for k in range(campaign.chunks):
                before = self.do(self.client.get(self.rig.keys.states(campaign.id, k)))
                packed = refs(k, self.sizes[campaign.id][k])
                moved = self.do(self.rig.outbox.scripts.run("redrive", MOVES_ARG, campaign.id, k, 8, packed))
                for offset, state in enumerate(before if moved > 0 else b""):
                    if state == ord("z"):
                        self.truth.give_back((campaign.id, k, offset))
