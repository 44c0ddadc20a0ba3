"""Row → message: number, duplicate, text, parts. The one loop that every row of every push runs through.

Plain code that never waits: 20 µs a row is all there is beside the parsing of the number.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b

import msgpack

from producer.push.cast import Cast
from producer.push.estimate import Estimate
from producer.push.gate import Split, priced, reader
from producer.push.references import References
from producer.push.rejects import Rejects
from producer.push.request import PushRequest, Rejected
from producer.push.sources import Row, Source
from producer.push.zoning import Zoning
from volley.errors import RowError, UnusableInput
from volley.numbers import known_region
from volley.outbox.chunks import ENCODINGS, SIZE
from volley.settings import Settings
from volley.text.parts import MAX_PARTS, Counted, measure
from volley.text.template import Template, compile_template, literal

MAX_REFERENCE = 255
_CODE = {name: code for code, name in enumerate(ENCODINGS)}


@dataclass(slots=True)
class Batch:
    """Up to 500 messages, no duplicates, not yet looked up among the opt-outs. Columns of equal length, as in Chunk."""

    to: list[int] = field(default_factory=list)
    references: list[str | None] | None = None
    values: list[list[str | None]] = field(default_factory=list)
    parts: bytearray = field(default_factory=bytearray)
    encodings: bytearray = field(default_factory=bytearray)
    texts: list[str] = field(default_factory=list)
    group: int = 0
    """Of time zones, where there are quiet hours."""

    def add(self, to: int, text: str, parts: int, encoding: int) -> None:
        self.to.append(to)
        self.texts.append(text)
        self.parts.append(parts)
        self.encodings.append(encoding)


class Rows:
    """The rows of one push as batches of messages, with what was refused on the way.

    Remembers every number that it let through, in a set of integers: 60 to 90 bytes a row; and every reference, in 10.

    Raises:
        UnusableInput: a template that cannot be read or names no column, a text that no row could make right, a source
            that cannot be trusted (while reading).
    """

    def __init__(
        self,
        source: Source,
        request: PushRequest,
        settings: Settings,
        rejects: Rejects,
        cast: Cast | None = None,
        zoning: Zoning | None = None,
        estimate: Estimate | None = None,
    ) -> None:
        self.template = literal(request.text) if request.text is not None else request.template or ""
        compiled = compile_template(self.template) if self.template or not request.media else Template(("",), ())
        self.columns = compiled.names
        places = source.select(compiled.names, *(("zone",) if zoning else ()))
        self._source, self._rejects = source, rejects
        self._numbered = enumerate(source.rows(), source.first + 1)
        self._width, self._to = len(places), places.index("to")
        self._reference = places.index("reference") if "reference" in places else None
        self._picked = [places.index(name) for name in compiled.names]
        self._region = known_region(request.region) if request.region else None
        self._render = compiled.bind(places)
        self._count = _counting(request, settings)
        self._split = (
            Split(request.media, self._count, by_text=cast is not None and cast.by_text) if request.media else None
        )
        self._read = reader(cast) if estimate is None else priced(reader(cast), estimate, mms=bool(request.media))
        if not compiled.names and not request.media:
            self._count = _constant(compiled.render({}), self._count)
        self._zoning, self._zone = zoning, places.index("zone") if zoning and "zone" in places else None
        self._gathered: dict[int, tuple[list[Row], Batch]] = {}
        self._in_order: tuple[list[int], list[Row]] = ([], [])
        self._seen: set[int] = set()
        self._references = References()
        self._examples = request.examples
        self._hash = blake2b(digest_size=16)
        self._hash.update(msgpack.packb(_sameness(self.template, request)))
        self.rejected = self.duplicates = 0
        self.reasons: Counter[str] = Counter()
        self.examples: list[Rejected] = []

    @property
    def content_hash(self) -> str:
        """Of what was asked for and of the rows so far, duplicates and refused rows left out; opt-outs do not change it."""
        return self._hash.hexdigest()

    def batch(self) -> Batch | None:
        """The next 500 messages, or what is left; None after the last. Blocks while the source does."""
        kept, found = list[Row](), Batch()
        region, at, width, seen, read = self._region, self._to, self._width, self._seen, self._read
        render, count, split, zoning = self._render, self._count, self._split, self._zoning
        for number, row in self._numbered:
            if len(row) != width:
                self._refuse_odd(number, row)
                continue
            try:
                to = read(row[at] or "", region)
                if to in seen:
                    self.duplicates += 1
                    continue
                text = render(row)
                if split is not None:
                    text, encoding, parts = split(to, text)
                else:
                    encoding, _, parts = count(text)
                if not 0 < parts <= MAX_PARTS or self._reference is not None:
                    self._check(row, text, parts)
                if zoning is not None:
                    kept, found = self._gather(to, row)
            except RowError as error:
                self._refuse(number, row, str(error))
                continue
            seen.add(to)
            kept.append(row)
            found.add(to, text, parts, _CODE[encoding])
            if len(kept) == SIZE:
                break
        return self._filled(*self._group(found, kept))

    def _gather(self, to: int, row: Row) -> tuple[list[Row], Batch]:
        """The rows and the batch of those who may get something when this one may. Raises RowError."""
        assert self._zoning is not None
        group = self._zoning.group_of(to, None if self._zone is None else row[self._zone])
        if group not in self._gathered:
            self._gathered[group] = [], Batch(group=group)
        numbers, rows = self._in_order
        numbers.append(to)
        rows.append(row)
        if len(rows) == SIZE:
            self._add_to_hash()
        return self._gathered[group]

    def _group(self, found: Batch, kept: list[Row]) -> tuple[list[Row], Batch]:
        """With quiet hours the batch that is full, or where the source has ended one after the other of the rest."""
        if self._zoning is None:
            return kept, found
        if len(kept) == SIZE:
            return self._gathered.pop(found.group)
        self._add_to_hash()
        return self._gathered.popitem()[1] if self._gathered else ([], found)

    def _add_to_hash(self) -> None:
        """In the order of the source, as without quiet hours: what the day's time is makes no other push of it, and zones only where some
        are given."""
        numbers, rows = self._in_order
        if rows:
            zones = [(row[self._zone] or "").strip() for row in rows] if self._zone is not None else []
            self._hash.update(msgpack.packb((numbers, *self._columns(rows), *([zones] if any(zones) else []))))
        self._in_order = [], []

    def _columns(self, rows: list[Row]) -> tuple[list[str | None] | None, list[list[str | None]]]:
        references = None if self._reference is None else [row[self._reference] or None for row in rows]
        return references if references and any(references) else None, [
            [row[place] for row in rows] for place in self._picked
        ]

    def _filled(self, kept: list[Row], batch: Batch) -> Batch | None:
        if not kept:
            return None
        batch.references, batch.values = self._columns(kept)
        if self._zoning is None:
            self._hash.update(msgpack.packb((batch.to, batch.references, batch.values)))
        return batch

    def _check(self, row: Row, text: str, parts: int) -> None:
        reference = "" if self._reference is None else row[self._reference] or ""
        if parts > MAX_PARTS:
            raise RowError(f"the text has {parts} parts, the carrier takes {MAX_PARTS}")
        if not parts:
            raise RowError("the text is empty")
        # only JSON can write a NUL, and its rows always have a place for the reference
        if "\0" in text or "\0" in reference:
            raise RowError("a NUL character")
        if len(reference) > MAX_REFERENCE:
            raise RowError(f"the reference is longer than {MAX_REFERENCE} characters")
        if reference and not self._references.add(reference):
            raise RowError("the reference is that of an earlier row")

    def _refuse_odd(self, number: int, row: Row) -> None:
        if row:
            self._refuse(number, row, self._source.why(row))

    def _refuse(self, number: int, row: Row, reason: str) -> None:
        if self._source.blank(row):
            return
        self.rejected += 1
        self.reasons[reason] += 1
        if len(self.examples) < self._examples:
            self.examples.append(Rejected(number, reason))
        self._rejects.add(number, reason, self._source.original(row))


def _counting(request: PushRequest, settings: Settings) -> Callable[[str], Counted]:
    return partial(
        measure,
        encoding=request.encoding,
        smart_encoding=bool(request.smart_encoding),
        rule=settings.parts_rule,
        gsm_set=settings.gsm_set,
    )


def _constant(text: str, count: Callable[[str], Counted]) -> Callable[[str], Counted]:
    """A text without variables is counted once, and what is wrong with it is wrong with the whole push."""
    try:
        counted = count(text)
    except RowError as error:
        raise UnusableInput(f"the text cannot be sent: {error}") from None
    if counted.parts == 0 or text.isspace():
        raise UnusableInput("the text is empty, and the carrier takes no empty text")
    if counted.parts > MAX_PARTS:
        raise UnusableInput(f"the text has {counted.parts} parts, the carrier takes {MAX_PARTS}: shorten it")
    return lambda _text: counted


def _sameness(template: str, request: PushRequest) -> list[object]:
    """What makes two pushes of the same rows differ; what was not asked for is not in it."""
    always = [template, request.profile, request.sender, request.encoding, bool(request.smart_encoding)]
    moment = request.send_at and request.send_at.timestamp()
    return [*always, *filter(None, (request.carrier_pool, request.fallback, request.media, request.subject, moment))]
