"""What a push comes to: opt-outs taken out, each message priced, each batch made a chunk, all of it added up."""

from dataclasses import dataclass
from itertools import compress

from producer.push.estimate import UNKNOWN, Estimate
from producer.push.rows import Batch
from volley.outbox.chunks import MMS, Chunk


@dataclass(slots=True)
class Totals:
    accepted: int = 0
    opted_out: int = 0
    parts: int = 0
    micros: int = 0
    unpriced: int = 0
    chunks: int = 0

    def add(self, batch: Batch, gone: set[int], estimate: Estimate) -> Chunk:
        """The batch as a chunk, without those who opted out."""
        chunk = _chunk(_without(batch, gone) if gone else batch, estimate)
        self.opted_out += len(gone)
        self.accepted += len(chunk)
        self.parts += sum(chunk.parts)
        unpriced = chunk.estimates.count(UNKNOWN)
        self.unpriced += unpriced
        self.micros += sum(chunk.estimates) - unpriced * UNKNOWN
        return chunk


def _without(batch: Batch, gone: set[int]) -> Batch:
    stays = [number not in gone for number in batch.to]
    return Batch(
        to=list(compress(batch.to, stays)),
        references=None if batch.references is None else list(compress(batch.references, stays)),
        values=[list(compress(column, stays)) for column in batch.values],
        parts=bytearray(compress(batch.parts, stays)),
        encodings=bytearray(compress(batch.encodings, stays)),
    )


def _chunk(batch: Batch, estimate: Estimate) -> Chunk:
    prices = [estimate.per_part(number) for number in batch.to]
    if MMS in batch.encodings:
        prices = [
            estimate.per_mms(number) if encoding == MMS else price
            for number, encoding, price in zip(batch.to, batch.encodings, prices, strict=True)
        ]
    estimates = [
        UNKNOWN if price == UNKNOWN else price * parts for price, parts in zip(prices, batch.parts, strict=True)
    ]
    return Chunk(batch.to, batch.references, batch.values, bytes(batch.parts), bytes(batch.encodings), estimates)
