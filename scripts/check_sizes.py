"""Refuses what has grown too large: files over 300 lines (tests, Lua, migrations and static files 400), functions over 40.

There is no list of exemptions. Tables belong into data files.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("volley", "producer", "worker", "tests", "bench", "scripts", "examples")
CODE = frozenset({".py", ".lua", ".js", ".css", ".html"})
ROOMY = frozenset({"tests", "lua", "migrations", "static"})

FILE_LINES = 300
ROOMY_FILE_LINES = 400
FUNCTION_LINES = 40


def limit(path: Path) -> int:
    """How many lines a file may have."""
    return ROOMY_FILE_LINES if ROOMY & set(path.relative_to(ROOT).parts) else FILE_LINES


def files() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in CODE and path.is_file())


def long_functions(path: Path, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES} allowed"


def complaints(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    lines = text.count("\n")
    if lines > limit(path):
        yield f"{path.relative_to(ROOT)}: {lines} lines, {limit(path)} allowed"
    if path.suffix == ".py":
        yield from long_functions(path, text)


def main() -> int:
    found = [complaint for path in files() for complaint in complaints(path)]
    print("\n".join(found) if found else "sizes: files and functions within their limits")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
