"""The detail records of a sandbox: gathered from what was sent and what came in, and forged on command."""

import itertools
from collections import deque
from collections.abc import Iterator

import orjson
from pydantic import BaseModel, ConfigDict

from volley.sandbox.accepted import Taken
from volley.sandbox.archive import Archive
from volley.sandbox.config import SandboxConfig
from volley.sandbox.draft import webhooks_of
from volley.sandbox.inbound import Heard, Inbound
from volley.sandbox.life import leaves_us
from volley.sandbox.records import Record, row

Line = Record | dict[str, object]
"""A record, or what a forged one says."""


class Forgery(BaseModel):
    """`drop` are ids that vanish, `change` ids with what their records say instead, `add` records of nobody's messages."""

    model_config = ConfigDict(extra="forbid")
    drop: frozenset[str] = frozenset()
    change: dict[str, dict[str, object]] = {}
    add: list[dict[str, object]] = []


class RecordBook:
    """Reads on where it stopped each time it is asked; holds the newest `keep_records`."""

    def __init__(self, config: SandboxConfig, archive: Archive, inbound: Inbound) -> None:
        self._archive = archive
        self._inbound = inbound
        self._receipts = config.receipts
        self._price = config.tariff.inbound
        self._keep = config.keep_records
        self._lag_us = int(config.records_lag_s * 1e6)
        self._records: deque[Record] = deque(maxlen=config.keep_records)
        self._scheduled: list[Taken] = []
        self._read = 0
        self._heard = 0
        self.forgery = Forgery()

    def lines(self, now_us: int) -> Iterator[Line]:
        """What is to be seen now, in the order in which it was gathered."""
        self._gather()
        forgery = self.forgery
        if not (forgery.drop or forgery.change or forgery.add):
            return (each for each in self._records if each.seen_us <= now_us)
        return itertools.chain(self._forged(now_us), forgery.add)

    def _forged(self, now_us: int) -> Iterator[Line]:
        drop, change = self.forgery.drop, self.forgery.change
        for each in self._records:
            if each.seen_us <= now_us and each.uuid not in drop:
                yield row(each, now_us) | change[each.uuid] if each.uuid in change else each

    def _gather(self) -> None:
        accepted = self._archive.accepted
        waiting, self._scheduled = self._scheduled, []
        for taken in waiting:
            self._take(taken)
        for place in range(max(self._read, len(accepted) - self._keep), len(accepted)):
            found = accepted.get(place)
            if found is not None:
                self._take(found)
        self._read = len(accepted)
        new = self._inbound.count - self._heard
        self._heard += new
        self._records.extend(map(self._of_heard, self._inbound.newest(new)))

    def _take(self, taken: Taken) -> None:
        """A scheduled message has a record once it was sent, a cancelled one never."""
        odd = taken.odd
        if odd is not None and odd.pending:
            self._scheduled.append(taken)
        elif odd is None or not odd.cancelled_us:
            self._records.append(self._of_taken(taken))

    def _of_taken(self, taken: Taken) -> Record:
        body: dict[str, object] = orjson.loads(taken.body)
        number, profile = self._archive.number(taken), self._archive.profile(taken)
        person, odd, life = str(body["to"]), taken.odd, self._archive.life(taken)
        mms = odd is not None and odd.mms
        url, failover, _ = webhooks_of(body, profile)
        left_us = life.sent_us if life.sent_us is not None else life.done_us
        return Record(
            *(taken.id, number, profile, person, "MMS" if mms else "SMS", taken.parts),
            price=self._archive.payloads.prices.price(person, mms),
            created_us=taken.wall_us,
            seen_us=(left_us or leaves_us(self._receipts, taken.wall_us, taken.wait_us)) + self._lag_us,
            life=life,
            url=url,
            failover=failover,
        )

    def _of_heard(self, heard: Heard) -> Record:
        kind = str(heard.payload["type"])
        at_us = heard.wall_us
        return Record(
            *(heard.id, heard.number, heard.profile, heard.person, kind, heard.parts, self._price, at_us),
            seen_us=at_us + self._lag_us,
            life=None,
            url=heard.profile.spec.webhook_url,
            failover=heard.profile.spec.webhook_failover_url,
        )
