"""How a bench tells what it found: a table for people, one JSON line for programs."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `least` or `most` is what is wanted of it; neither: it is told, not judged."""

    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def reached(self) -> bool | None:
        """None where nothing is wanted."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    @property
    def wanted(self) -> str:
        bounds = (("≥", self.least), ("≤", self.most))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def shown(value: float) -> str:
    """Enough digits to compare by, no more."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3f}"


def tell(bench: str, figures: Sequence[Figure], *, notes: Sequence[str] = ()) -> None:
    """Prints both forms. A note says what a reader must know before believing the numbers."""
    print(bench)
    for figure in figures:
        verdict = {None: "", True: "reached", False: "MISSED"}[figure.reached]
        print(f"  {figure.name:52} {shown(figure.value):>12} {figure.unit:8} {figure.wanted:12} {verdict}".rstrip())
    for note in notes:
        print(f"  note: {note}")
    fields = [asdict(figure) | {"reached": figure.reached} for figure in figures]
    print(orjson.dumps({"bench": bench, "figures": fields, "notes": list(notes)}).decode(), flush=True)


def sizes(bench: str, *, rounds: int | None = None) -> argparse.Namespace:
    """The options every bench has: `quick`, and `rounds` where it repeats itself."""
    parser = argparse.ArgumentParser(description=bench)
    parser.add_argument("--quick", action="store_true", help="small sizes; the figures mean little")
    if rounds is not None:
        parser.add_argument("--rounds", type=int, default=rounds)
    return parser.parse_args()
