"""Each command that a document tells people to type is one, with each of its options."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from producer.cli.app import build

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "deploy" / "runbook.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "how-to").glob("*.md"))
_BLOCK = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_CALL = re.compile(r"(?:^|[\s$(|;&])volley ([a-z][a-z-]*(?: [^|;&`#]*)?)")
_ELSEWHERE = {"sandbox"}
"""Commands that read their options themselves."""


def calls(page: str) -> Iterator[list[str]]:
    """The words behind `volley`, in blocks and within lines."""
    text = page.replace("\\\n", " ")
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    for line in [*lines, *re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))]:
        yield from (call.split() for call in _CALL.findall(line))


@cache
def commands() -> TyperGroup:
    root = typer.main.get_command(build(lambda: 0))
    assert isinstance(root, TyperGroup)
    return root


def unknown(words: list[str]) -> list[str]:
    """Those of the words that are no command and no option of it."""
    command: Any = commands()
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words[:1]
        command, words = command.commands[words[0]], words[1:]
    known = {option for each in command.params for option in [*each.opts, *each.secondary_opts]} | {"--help"}
    given = [re.split("[=.,:…)]", word)[0] for word in words if word.startswith("--")]
    return [] if command.name in _ELSEWHERE else [option for option in given if option not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_of_a_page_is_one(page: Path) -> None:
    found = {" ".join(words): unknown(words) for words in calls(page.read_text("utf-8"))}
    assert {call: words for call, words in found.items() if words} == {}


def test_a_command_and_an_option_that_are_none_would_be_found() -> None:
    page = "Say `volley campains show ID`, then:\n```sh\nvolley campaigns retry ID \\\n  --errors 40008\n```\n"
    assert [unknown(words) for words in calls(page)] == [["--errors"], ["campains"]]
