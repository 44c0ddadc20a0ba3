"""`volley numbers doctor`: for each number, can it send now, to where, and if not, why and what to do."""

import sys
from collections import Counter
from contextlib import aclosing
from typing import Protocol

import orjson

from producer.carrier import carrier
from producer.cli.output import note, say
from producer.pool.checkup import checkup, document, examine
from volley.carrier.causes import Finding
from volley.carrier.reach import words
from volley.carrier.readiness import Readiness
from volley.settings import Settings


class Tally:
    """What was seen: how many, how many are ready, each cause with an example."""

    def __init__(self) -> None:
        self.numbers = 0
        self.ready = 0
        self.causes: Counter[str] = Counter()
        self.examples: dict[str, Finding] = {}

    def add(self, found: Readiness) -> None:
        self.numbers += 1
        self.ready += found.ready
        for each in found.findings:
            self.causes[each.cause] += 1
            if self.examples.setdefault(each.cause, each).blocking < each.blocking:
                self.examples[each.cause] = each

    @property
    def well(self) -> bool:
        """There are numbers, and each of them can send."""
        return 0 < self.numbers == self.ready


class Paper(Protocol):
    """Where findings are written as they come."""

    def write(self, found: Readiness) -> None: ...

    def close(self, tally: Tally) -> None: ...


class JsonPaper:
    """One object, written piece by piece."""

    def __init__(self) -> None:
        self._head = b'{"numbers":['

    def write(self, found: Readiness) -> None:
        sys.stdout.buffer.write(self._head + orjson.dumps(document(found)))
        self._head = b","

    def close(self, tally: Tally) -> None:
        summary = {"numbers": tally.numbers, "ready": tally.ready, "not_ready": tally.numbers - tally.ready}
        head = b"" if self._head == b"," else self._head
        rest = orjson.dumps({"summary": summary | {"causes": dict(tally.causes.most_common())}})
        sys.stdout.buffer.write(head + b"]," + rest[1:] + b"\n")
        sys.stdout.buffer.flush()


class TextPaper:
    """A line a number, and at the end each cause once with what to do about it."""

    def write(self, found: Readiness) -> None:
        warned = ", ".join(each.cause for each in found.findings if not each.blocking)
        why = "; ".join(each.says for each in found.blocking)
        state = f"ready      {words(found.reach)}" if found.ready else f"NOT READY  {why}"
        say(f"{found.number:<16} {found.type:<12} {state}{f'  ({warned})' if warned else ''}")

    def close(self, tally: Tally) -> None:
        say(f"\n{tally.ready} of {tally.numbers} can send")
        for name, count in tally.causes.most_common():
            example = tally.examples[name]
            say(f"\n{name} ({count}{', blocks' if example.blocking else ''}): {example.says}")
            say(f"  {example.remedy}")


async def diagnose(settings: Settings, number: str | None, profile: str, *, as_json: bool) -> bool:
    """Prints all of it; whether every number can send."""
    paper: Paper = JsonPaper() if as_json else TextPaper()
    tally = Tally()
    async with carrier(settings.current) as api:
        if number is not None:
            for found in await examine(api, settings, number, profile_id=profile):
                tally.add(found)
                paper.write(found)
        else:
            async with aclosing(checkup(api, settings, profile_id=profile)) as rows:
                async for found in rows:
                    tally.add(found)
                    paper.write(found)
    paper.close(tally)
    if not tally.numbers:
        note(
            "no numbers: buy some and assign them (volley numbers assign), or see that the API key is the right account's"
        )
    return tally.well
