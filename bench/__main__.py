"""make bench: every bench in a process of its own, one after the other, as they share two cores.

python -m bench [send barrier memory intake upload recorder pacing fairness urgent messages terms watch] [--quick]
"""

import argparse
import subprocess
import sys
import time

ORDER = (
    "send",
    "barrier",
    "memory",
    "intake",
    "upload",
    "recorder",
    "pacing",
    "fairness",
    "urgent",
    "messages",
    "terms",
    "watch",
)


def main() -> int:
    parser = argparse.ArgumentParser(description="the measurements that the README quotes")
    parser.add_argument("names", nargs="*", help=f"only these: {' '.join(ORDER)}")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to see that it works; the figures mean little"
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(ORDER)
    if unknown:
        parser.error(f"no bench {', '.join(sorted(unknown))}: there are {', '.join(ORDER)}")
    failed = [name for name in ORDER if name in (options.names or ORDER) and not ran(name, options.quick)]
    if failed:
        print(f"without a result: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def ran(name: str, quick: bool) -> bool:
    start = time.monotonic()
    code = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", *(["--quick"] if quick else [])], check=False
    ).returncode
    print(f"  ({time.monotonic() - start:.0f} s)\n", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
