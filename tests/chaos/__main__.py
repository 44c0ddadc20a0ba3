"""make chaos: experiments by number, one after the other. Exit code 1 if anything is not as expected.

python -m tests.chaos [ONLY="1 2 5"] [SEED=7] [SCALE=short|full] [AT_ONCE=2]; the same as environment variables. AT_ONCE plays
so many side by side, each in a process of its own: shorter where there are cores for it, and no place to measure times.
"""

import asyncio
import dataclasses
import json
import os
import random
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from tests.chaos.registry import EXPERIMENTS, Body, Experiment, Run

_MANY = 16
RESULTS = Path("build/chaos/results.jsonl")


def main() -> int:
    given = dict(os.environ) | dict(word.split("=", 1) for word in sys.argv[1:])
    _import_all()
    only = [int(word) for word in given.get("ONLY", "").replace(",", " ").split()] or sorted(EXPERIMENTS)
    scale = given.get("SCALE") or "full"
    if scale not in ("short", "full") or not EXPERIMENTS.keys() >= set(only):
        print(f"SCALE is short or full, ONLY of {sorted(EXPERIMENTS)}", file=sys.stderr)
        return 2
    seed = int(given.get("SEED") or random.SystemRandom().randrange(1, 1_000_000))
    at_once = int(given.get("AT_ONCE") or 1)
    if at_once > 1 and len(only) > 1:
        bad = _side_by_side(only, seed, scale, at_once)
    else:
        bad = [number for number in only if not _as_expected(EXPERIMENTS[number], seed, scale)]
    print(f"not as expected: {bad}" if bad else "all as expected", flush=True)
    return 1 if bad else 0


def _side_by_side(only: list[int], seed: int, scale: str, at_once: int) -> list[int]:
    """Each tells its story when it is over; those that were not as expected."""

    def play(number: int) -> int:
        words = [f"ONLY={number}", f"SEED={seed}", f"SCALE={scale}", "AT_ONCE=1"]
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos", *words], capture_output=True, text=True, check=False
        )
        print(done.stdout.rpartition("\n")[0].rpartition("\n")[0] + done.stderr, flush=True)
        return done.returncode

    with ThreadPoolExecutor(at_once) as pool:
        codes = list(pool.map(play, only))
    return [number for number, code in zip(only, codes, strict=True) if code]


def _import_all() -> None:
    for path in sorted((Path(__file__).parent / "experiments").glob("[!_]*.py")):
        import_module(f"tests.chaos.experiments.{path.stem}")


def _as_expected(what: Experiment, seed: int, scale: str) -> bool:
    """Plays the experiment, then its control (always the short form), tells of both, and writes the result down."""
    print(f"\n{what.number:>3}  {what.title}   (seed {seed}, {scale})", flush=True)
    run, error = _played(what.body, Run(what.number, seed, scale))
    _tell(run, error)
    good = not run.red and not error
    result = _result(what, run, error)
    if what.control is not None:
        control, failure = _played(what.control, Run(what.number, seed, "short", control=True))
        reds = [check for check in control.red if not what.reds or check.name.split()[0] in what.reds]
        as_it_must = bool(reds) and not failure
        good = good and as_it_must
        _tell_control(what, control, as_it_must, failure)
        result["control"] = _result(what, control, failure) | {"without": what.without, "red_as_it_must": as_it_must}
    result["as_expected"] = good
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(result) + "\n")
    return good


def _played(body: Body, run: Run) -> tuple[Run, str]:
    """The run and, where it broke down, how."""
    error = ""
    try:
        asyncio.run(body(run))
    except Exception:
        error = traceback.format_exc()
    run.figures["duration_s"] = round(time.monotonic() - run.began, 1)
    return run, error


def _tell(run: Run, error: str) -> None:
    _line("settings", ", ".join(f"{name} {value}" for name, value in run.settings.items()))
    _line("done", ", ".join(run.done))
    shown = run.checks if len(run.checks) <= _MANY else run.red
    if len(shown) < len(run.checks):
        _line("kept", f"{len(run.checks) - len(shown)} of {len(run.checks)} checks (results.jsonl has them all)")
    for check in shown:
        _line("kept" if check.kept else "BROKEN", f"{check.name}: {check.found}")
    _line("figures", ", ".join(f"{name} {value}" for name, value in run.figures.items()))
    if error:
        _line("BROKE DOWN", error)


def _tell_control(what: Experiment, run: Run, red: bool, failure: str) -> None:
    seen = "; ".join(f"{check.name}: {check.found[:160]}" for check in run.red) or "nothing was red"
    _line("control", f"without {what.without}: {'red as it must' if red else 'NOT AS IT MUST'} ({seen})")
    if failure:
        _line("BROKE DOWN", failure)


def _line(head: str, text: str) -> None:
    if text:
        print(f"     {head:<9} {text}", flush=True)


def _result(what: Experiment, run: Run, error: str) -> dict[str, object]:
    return {
        "number": what.number,
        "title": what.title,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seed": run.seed,
        "scale": run.scale,
        "settings": run.settings,
        "done": run.done,
        "checks": [dataclasses.asdict(check) for check in run.checks],
        "figures": run.figures,
        "error": error,
    }


if __name__ == "__main__":
    sys.exit(main())
