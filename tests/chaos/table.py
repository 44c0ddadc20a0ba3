"""The table of docs/guarantees.md, made of result lines: of each experiment its longest run, and of those the newest. A run that
broke off half-way says nothing and stands in it only where there is no other.

python -m tests.chaos.table build/chaos/results.jsonl …
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HEAD = (
    "| # | experiment | settings | seed · scale · duration | D | L | R | C | other checks · figures | control: without |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)
_PROMISES = "DLRC"
_MOST = 6

Result = dict[str, Any]


def results(paths: Iterable[Path]) -> list[Result]:
    """All lines of these files, in order."""
    return [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines() if line]


def chosen(lines: Iterable[Result]) -> list[Result]:
    """One run an experiment, by number: whole ones before others, full length before short, then the newest. Red ones count too."""
    best: dict[int, Result] = {}
    for line in sorted(lines, key=lambda line: (not line["error"], line["scale"] == "full", line["at"])):
        best[line["number"]] = line
    return [best[number] for number in sorted(best)]


def row(result: Result) -> str:
    checks = result["checks"]
    cells = (
        str(result["number"]),
        result["title"],
        _pairs(result["settings"]),
        f"{result['seed']} · {result['scale']} · {result['figures']['duration_s']:.0f} s",
        *(_promise(checks, letter) for letter in _PROMISES),
        _rest(result),
        _control(result.get("control")),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_plain(value)}" for name, value in values.items() if name != "duration_s")


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _promise(checks: Sequence[Result], letter: str) -> str:
    """0 where it was kept in all cases, else in how many it was not; – where the experiment has no say in it."""
    mine = [check for check in checks if check["name"].split()[0] == letter]
    if not mine or all(check["found"].startswith("no ") for check in mine):
        return "–"
    return str(sum(not check["kept"] for check in mine))


def _rest(result: Result) -> str:
    others = [check for check in result["checks"] if check["name"].split()[0] not in _PROMISES]
    kept = f"{sum(check['kept'] for check in others)} of {len(others)} kept" if others else ""
    deeds = "; ".join(result["done"][:2]) if len(result["done"]) <= 2 else f"{len(result['done'])} deeds"
    return "; ".join(filter(None, (kept, deeds, _pairs(dict(list(result["figures"].items())[:_MOST])))))


def _control(control: Result | None) -> str:
    if control is None:
        return "–"
    reds = sorted({check["name"].split()[0] for check in control["checks"] if not check["kept"]} & set(_PROMISES))
    seen = f"red ({', '.join(reds)})" if reds else "red"
    return f"{control['without']}: {seen if control['red_as_it_must'] else 'NOT RED'}"


def main() -> None:
    print(HEAD)
    for result in chosen(results(map(Path, sys.argv[1:]))):
        print(row(result))


if __name__ == "__main__":
    main()
