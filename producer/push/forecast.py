"""A dry run: what a push would be, to whom, at what price and by when. Counts; sends, stores and admits nothing."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import ceil
from typing import Any

from producer.push.cast import Cast
from producer.push.request import PushRequest
from producer.push.rows import Batch
from volley.errors import RowError
from volley.numbers import country
from volley.outbox.chunks import ENCODINGS, MMS
from volley.outbox.router import Router
from volley.outbox.throughput import effective, seconds
from volley.prefixes import first_prefix
from volley.sender import Sender
from volley.settings import Settings
from volley.text.parts import Counted, forcing_character, measure
from volley.text.smart import smart

MAX_CHARACTERS = 50
"""How many of the characters that force Unicode are named, the most frequent first."""


class Forecast:
    """Adds up batches. `gone` of `add` are the numbers that opted out: they are not counted."""

    def __init__(self, request: PushRequest, settings: Settings, cast: Cast | None = None) -> None:
        self._request, self._settings, self._cast = request, settings, cast
        self._homes: Counter[str] = Counter()
        self._parts: Counter[str] = Counter()
        self._histogram: Counter[int] = Counter()
        self._encodings: Counter[str] = Counter()
        self._characters: Counter[str] = Counter()
        self._depends: Counter[str] = Counter()
        self._looked: tuple[str, tuple[frozenset[str], tuple[str, ...]]] = ("", (frozenset(), ()))

    def add(self, batch: Batch, gone: set[int]) -> None:
        rows = zip(batch.to, batch.texts, batch.parts, batch.encodings, strict=True)
        for number, text, parts, encoding in rows:
            if number in gone:
                continue
            self._histogram[parts] += 1
            self._encodings[ENCODINGS[encoding]] += 1
            home = country(number)
            self._homes[home] += 1
            self._parts[home] += parts
            if encoding == MMS:
                continue
            forcing, depends = self._look(text)
            self._characters.update(forcing)
            self._depends.update(depends)

    def _look(self, text: str) -> tuple[frozenset[str], tuple[str, ...]]:
        # campaigns without variables have one text for all rows
        if text != self._looked[0]:
            self._looked = text, (self._forcing(text), self._depending(text))
        return self._looked[1]

    def _forcing(self, text: str) -> frozenset[str]:
        if self._request.encoding == "ucs2":
            return frozenset()
        if self._request.smart_encoding or self._request.encoding == "gsm7":
            text = smart(text)
        if forcing_character(text, self._settings.gsm_set) is None:
            return frozenset()
        return frozenset(char for char in set(text) if forcing_character(char, self._settings.gsm_set))

    def _depending(self, text: str) -> tuple[str, ...]:
        """The settings without which this text would be counted otherwise."""
        mine, settings = self._measure(text, self._settings), self._settings
        other_set = settings.model_copy(update={"gsm_set": "3gpp" if settings.gsm_set == "telnyx" else "telnyx"})
        other_rule = settings.model_copy(update={"parts_rule": "ceil" if settings.parts_rule == "packed" else "packed"})
        others = (("gsm_set", other_set), ("parts_rule", other_rule))
        return tuple(name for name, other in others if self._measure(text, other) != mine)

    def _measure(self, text: str, settings: Settings) -> Counted | None:
        try:
            return measure(
                text,
                encoding=self._request.encoding,
                smart_encoding=bool(self._request.smart_encoding),
                rule=settings.parts_rule,
                gsm_set=settings.gsm_set,
            )
        except RowError:
            return None

    def as_json(self, senders: Sequence[Sender], weights: Mapping[str, int]) -> dict[str, Any]:
        """Counts of messages: by parts, by encoding, by character that forces Unicode; and how long they take to send.

        `weights` are those of the pool's classes; `seconds` is None where a class has nobody who sends.
        """
        rate = rate_of(self._cast or self._request, self._settings, senders, weights)
        needed = self._seconds(rate)
        if needed and self._router is not None:
            rate = Decimal(self._parts.total()) / Decimal(needed)
        mms = self._encodings[ENCODINGS[MMS]]
        return {
            "messages": {"SMS": self._encodings.total() - mms, "MMS": mms},
            "routes": self._routes(),
            "fallback": sum(self._homes[home] for home in self._refused),
            "parts_histogram": {str(size): self._histogram[size] for size in sorted(self._histogram)},
            "encodings": {name: self._encodings[name] for name in ENCODINGS[:MMS]},
            "unicode": [_described(char, rows) for char, rows in self._characters.most_common(MAX_CHARACTERS)],
            "depends_on": {"gsm_set": self._depends["gsm_set"], "parts_rule": self._depends["parts_rule"]},
            "parts_per_second": f"{round(rate, 3).normalize():f}",
            "seconds": None if needed is None else ceil(round(needed, 3)),
        }

    @property
    def _refused(self) -> Iterable[str]:
        return self._cast.refused if self._cast else ()

    def _routes(self) -> list[dict[str, Any]]:
        """Which types of senders serve how many messages, the most first."""
        if self._cast is None:
            return []
        found: Counter[tuple[str, ...]] = Counter()
        for home, messages in self._homes.items():
            found[tuple(sorted({sender.type for sender in self._cast.serves(home)}))] += messages
        return [{"types": list(types), "messages": messages} for types, messages in found.most_common()]

    def _seconds(self, rate: Decimal) -> float | None:
        """A sender and its fallback work side by side, and so do the classes of a pool: the last of them ends it."""
        if self._router is not None:
            return self._dealt(self._router)
        stands_in = sum(self._parts[home] for home in self._refused)
        own = seconds(self._parts.total() - stands_in, rate)
        if not stands_in or self._cast is None or self._cast.fallback is None:
            return own
        other = seconds(stands_in, Decimal(self._cast.fallback.rate_milli) / 1000)
        return None if own is None or other is None else max(own, other)

    @property
    def _router(self) -> Router | None:
        """The pool's, where it depends on the country who may send."""
        found = self._cast.router if self._cast is not None else None
        return found if found is not None and found.routed else None

    def _dealt(self, router: Router) -> float | None:
        loads: defaultdict[str, float] = defaultdict(float)
        for home, parts in self._parts.items():
            for name, share in router.shares(int(first_prefix(home) or 0)).items():
                loads[name] += parts * share
        limit = limit_of(self._request, self._settings)
        found = [seconds(load, router.rate(name)) for name, load in loads.items()]
        found.append(seconds(self._parts.total(), limit))
        return None if None in found else max(filter(None, found), default=0.0)


def _described(char: str, rows: int) -> dict[str, str | int]:
    name = unicodedata.name(char, "without a name")
    return {"character": char, "code": f"U+{ord(char):04X}", "name": name, "rows": rows}


def rate_of(
    what: Cast | PushRequest, settings: Settings, senders: Sequence[Sender], weights: Mapping[str, int]
) -> Decimal:
    """Parts per second, from the first to the last: what the senders make, under the limits of profile and account."""
    request = what.request if isinstance(what, Cast) else what
    # a push with a sender of its own is dealt to no class
    limits = [limit_of(request, settings)]
    return effective({} if what.sender else weights, senders, limits, settings.current.rates.campaign)


def limit_of(request: PushRequest, settings: Settings) -> Decimal:
    """Parts per second that profile, account and the push itself let pass."""
    rates = settings.current.rates
    limit = min(rates.account, rates.profile.get(request.profile, rates.account), request.rate or rates.account)
    return min(limit, rates.account_mms) if request.media else limit
