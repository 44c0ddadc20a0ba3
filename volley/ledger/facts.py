"""Stream entries gathered into rows, table by table: what a batch adds to the ledger. Pure; knows no database."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import msgpack

from volley.campaign import Campaign
from volley.errors import VolleyError
from volley.ledger.actions import action_row
from volley.ledger.ranks import rank_of_mark
from volley.ledger.rows import (
    Place,
    Row,
    Step,
    attempt_row,
    campaign_event_row,
    campaign_row,
    message_of_attempt,
    message_of_move,
    message_of_receipt,
    optout_row,
    state_row,
)
from volley.outbox.events import MOVE, NOBODY, VERSION, ReceiptRecord, unpack_attempts, unpack_receipts
from volley.outbox.inbound import InboundRecord
from volley.outbox.inbound import unpack as unpack_inbound

Kind = Literal["message", "sealed", "campaign", "optout"]


class NewerEntry(VolleyError):
    """An entry that a later release wrote. It stays in the stream until a recorder of that release comes."""


class Entry(NamedTuple):
    id: str
    fields: Mapping[bytes, bytes]

    def check_version(self) -> None:
        """Raises NewerEntry; ValueError for a version that is no number."""
        version = self.fields.get(b"v", b"none")
        if int(version) > int(VERSION):
            raise NewerEntry(
                f"ledger entry {self.id} is of version {version.decode()}, this release reads up to {VERSION.decode()}: "
                "update Volley where volley serve runs; nothing was dropped"
            )


@dataclass(slots=True)
class Facts:
    """Rows by table, and what must be looked up before they can be complete."""

    campaigns: list[Row] = field(default_factory=list)
    campaign_events: list[Row] = field(default_factory=list)
    actions: list[Row] = field(default_factory=list)
    started: dict[str, int] = field(default_factory=dict)
    """Campaign → the first moment at which a message of it went out."""
    messages: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    moves: list[Row] = field(default_factory=list)
    receipts: list[ReceiptRecord] = field(default_factory=list)
    inbound: list[InboundRecord] = field(default_factory=list)
    optouts: list[Row] = field(default_factory=list)
    unreadable: list[Row] = field(default_factory=list)
    carrier_ids: dict[str, Place] = field(default_factory=dict)
    sealed: list[tuple[str, Campaign]] = field(default_factory=list)
    """(entry id, campaign) whose chunks must be copied."""
    chunks: list[Row] = field(default_factory=list)
    bare: set[tuple[str, int]] = field(default_factory=set)
    """Chunks in which messages moved without a word about who they are for."""
    touched: set[str] = field(default_factory=set)
    happened: list[tuple[Kind, Any]] = field(default_factory=list)
    """Rows that the feed may tell of, in the order in which they were added."""

    def add(self, entry: Entry, sender_of: Callable[[int], str | None]) -> None:
        """Raises whatever a malformed entry causes: KeyError, ValueError, TypeError, struct.error, msgpack's."""
        entry.check_version()
        kind = entry.fields[b"k"]
        if kind == b"attempts":
            self._attempts(entry.fields)
        elif kind == b"receipts":
            self.add_receipts(unpack_receipts(entry.fields[b"p"]))
        elif kind == b"moves":
            self._moves(entry, sender_of)
        elif kind == b"inbound":
            self.inbound += unpack_inbound(entry.fields[b"p"])
        elif kind == b"optouts":
            for line in entry.fields[b"p"].decode().splitlines():
                self.optouts.append(self._happened("optout", optout_row(line)))
        elif kind == b"unreadable":
            self._unreadable(entry)
        elif kind == b"sealed":
            self._sealed(entry)
        elif kind == b"campaign":
            self._campaign(entry.fields)
        elif kind == b"event":
            self._event(entry.fields)
        elif kind == b"action":
            self.actions.append(action_row(entry.id, entry.fields[b"p"], int(entry.fields[b"t"])))
        else:
            raise ValueError(f"unknown kind {kind!r}")

    def _unreadable(self, entry: Entry) -> None:
        row: Row = {"entry_id": entry.id, "at_us": int(entry.fields[b"t"]), "error": entry.fields[b"e"].decode()}
        self.unreadable.append(row | {"fields": msgpack.packb({b"b": entry.fields[b"b"]})})

    def _sealed(self, entry: Entry) -> None:
        campaign = Campaign.from_json(entry.fields[b"c"])
        self.touched.add(campaign.id)
        self.sealed.append((entry.id, campaign))
        self.campaigns.append(self._happened("sealed", campaign_row(campaign)))

    def _campaign(self, fields: Mapping[bytes, bytes]) -> None:
        campaign_id, state, at_us = fields[b"c"].decode(), fields[b"s"].decode(), int(fields[b"t"])
        self.touched.add(campaign_id)
        self.campaign_events.append(self._happened("campaign", campaign_event_row(campaign_id, state, at_us)))
        self.campaigns.append(state_row(campaign_id, state, at_us))

    def _event(self, fields: Mapping[bytes, bytes]) -> None:
        """What changes no state of its campaign."""
        campaign_id, what, at_us = fields[b"c"].decode(), fields[b"e"].decode(), int(fields[b"t"])
        row = campaign_event_row(campaign_id, what, at_us, fields[b"d"].decode())
        self.campaign_events.append(self._happened("campaign", row))

    def _happened(self, kind: Kind, row: Row) -> Row:
        self.happened.append((kind, row))
        return row

    def _attempts(self, fields: Mapping[bytes, bytes]) -> None:
        records = unpack_attempts(fields[b"p"])
        marks = fields[b"m"].decode("ascii")
        if len(marks) < len(records):
            raise ValueError(f"{len(records)} attempts and {len(marks)} states")
        # the mask goes on for outcomes without an attempt, which told their own moves
        for record, mark in zip(records, marks, strict=False):
            rank = rank_of_mark(mark)
            self.touched.add(record.campaign)
            self.attempts.append(attempt_row(record, rank))
            self.messages.append(self._happened("message", message_of_attempt(record, rank)))
            if record.sent_us > 0:
                self.started[record.campaign] = min(record.sent_us, self.started.get(record.campaign, record.sent_us))
            if record.carrier_id:
                self.carrier_ids[record.carrier_id] = (record.campaign, record.chunk, record.offset)

    def _moves(self, entry: Entry, sender_of: Callable[[int], str | None]) -> None:
        at_us, why = int(entry.fields[b"t"]), entry.fields[b"w"].decode()
        by_chunk: dict[tuple[str, int], list[Step]] = {}
        for campaign, chunk, offset, state, index, attempt in MOVE.iter_unpack(entry.fields[b"p"]):
            sender = None if index == NOBODY else sender_of(index)
            step = (offset, state.decode(), sender, attempt)
            by_chunk.setdefault((campaign.decode(), chunk), []).append(step)
        for (campaign_id, chunk), steps in by_chunk.items():
            self.touched.add(campaign_id)
            self.bare.add((campaign_id, chunk))
            for step in steps:
                row = message_of_move((campaign_id, chunk, step[0]), step, at_us)
                self.messages.append(self._happened("message", row))
            place: Row = {"campaign_id": campaign_id, "chunk": chunk, "entry_id": entry.id}
            self.moves.append(place | {"why": why, "at_us": at_us, "moves": msgpack.packb(steps)})

    def add_receipts(self, records: Iterable[ReceiptRecord]) -> None:
        for record in records:
            self.receipts.append(record)
            if record.campaign:
                place = (record.campaign, record.chunk, record.offset)
                self.touched.add(record.campaign)
                self.bare.add(place[:2])
                self.messages.append(self._happened("message", message_of_receipt(record)))
                if record.carrier_id:
                    self.carrier_ids[record.carrier_id] = place
