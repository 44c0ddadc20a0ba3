"""The model at work: `python -m tests.model [words of a run's name]`."""

import sys
from time import monotonic

from tests.model.runs import BREAK, HOLD
from tests.model.search import explore

wanted = " ".join(sys.argv[1:])
for name, rules in {**HOLD, **{name: rules for name, (rules, _) in BREAK.items()}}.items():
    if wanted in name:
        began = monotonic()
        found = explore(rules)
        print(f"{name}: {found.worlds:,} worlds, {found.steps:,} steps, {monotonic() - began:.1f} s", end="")
        print(f" · {found.wrong}" if found.wrong else " · all promises hold")
        print("".join(f"    {line}\n" for line in found.trace), end="")
