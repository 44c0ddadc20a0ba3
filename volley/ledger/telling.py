"""What a batch's rows come to as events, one after the other, against where things stood before. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from volley.ledger.before import Before
from volley.ledger.facts import Facts
from volley.ledger.happenings import CampaignFacts, Happening, InboundFacts, MessageFacts, OptoutFacts, known
from volley.ledger.happenings import Facts as About
from volley.ledger.ranks import STATUS_OF
from volley.ledger.rows import Place

_SILENT = frozenset({0, 10})
"""Ranks of ready and sending."""


class Told(NamedTuple):
    """`campaign_id` "" : it belongs to none."""

    campaign_id: str
    happening: Happening


class Telling:
    """Goes through the rows of one batch in the order of its entries, and remembers where that brings each thing."""

    def __init__(self, before: Before) -> None:
        self._ranks = before.ranks
        self._sealed = before.sealed
        self._started = before.started
        self._events = before.campaign_events
        self._words = before.words
        self._texts = before.texts

    def all(self, facts: Facts, texts: Iterable[Any], redriven: set[Place]) -> Iterator[Told]:
        """`texts`: the batch's texts of people, with what they answer. `redriven` messages are told of by who knows more."""
        tell = {"sealed": self._accepted, "campaign": self._campaign, "optout": self._optout}
        for kind, row in facts.happened:
            if kind != "message":
                yield from tell[kind](row)
                continue
            if row["sent_us"] is not None and row["campaign_id"] not in self._started:
                self._started.add(row["campaign_id"])
                yield told_of_campaign(row["campaign_id"], "started", row["sent_us"])
            place = row["campaign_id"], row["chunk"], row["offset"]
            rank = row["rank"]
            if rank > self._ranks.get(place, 0):
                self._ranks[place] = rank
                if place not in redriven and rank not in _SILENT:
                    yield told_of_message(row)
        for row in texts:
            yield from self._text(row)

    def _accepted(self, row: Any) -> Iterator[Told]:
        if row["id"] not in self._sealed:
            self._sealed.add(row["id"])
            yield told_of_campaign(row["id"], "accepted", row["created_us"], f'{{"accepted":{row["accepted"]}}}')

    def _campaign(self, row: Any) -> Iterator[Told]:
        key = row["campaign_id"], row["at_us"], row["state"]
        if key not in self._events and known(f"campaign.{row['state']}"):
            self._events.add(key)
            yield told_of_campaign(row["campaign_id"], row["state"], row["at_us"], row["detail"] or "{}")

    def _optout(self, row: Any) -> Iterator[Told]:
        who, word = (row["profile"], row["recipient"]), (row["at_us"], row["opted_out"])
        last = self._words.get(who, (-1, 0))
        if word > last:
            self._words[who] = word
            if word[1] != last[1]:
                yield _told("", "optout.added" if word[1] else "optout.removed", word[0], OptoutFacts(*who))

    def _text(self, row: Any) -> Iterator[Told]:
        if row["event_id"] not in self._texts:
            self._texts.add(row["event_id"])
            yield _told(row["campaign_id"], "inbound.received", row["received_us"], InboundFacts(row["event_id"]))


def told_of_campaign(campaign_id: str, what: str, at_us: int, detail: str = "{}") -> Told:
    return _told(campaign_id, f"campaign.{what}", at_us, CampaignFacts(detail))


def told_of_message(row: Any) -> Told:
    """`row` has the columns of `messages`."""
    facts = MessageFacts(
        row["chunk"],
        row["offset"],
        row["sender"] or "",
        row["error_code"],
        row["error_text"] or "",
        row["carrier_parts"] or row["parts"],
        row["cost_micros"],
        row["currency"],
    )
    return _told(row["campaign_id"], f"message.{STATUS_OF[row['rank']]}", row["status_us"], facts)


def _told(campaign_id: str, name: str, at_us: int, facts: About) -> Told:
    return Told(campaign_id, Happening(name, at_us, facts))
