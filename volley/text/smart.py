"""Telnyx's smart encoding: look-alikes of GSM characters become those characters. The rules are data, in smart.json."""

import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files


def smart(text: str) -> str:
    """The text as Telnyx sends it with smart encoding on.

    It replaces what it can even where an emoji keeps the whole in UCS-2, and may leave nothing at all.
    """
    rules, touches = _rules()
    return text.translate(rules) if touches(text) else text


@cache
def _rules() -> tuple[dict[int, str], Callable[[str], re.Match[str] | None]]:
    table: dict[str, str] = json.loads(files(__package__).joinpath("smart.json").read_text("utf-8"))["table"]
    rules = {int(name.removeprefix("U+"), 16): replacement for name, replacement in table.items()}
    return rules, re.compile(f"[{re.escape(''.join(map(chr, rules)))}]").search
