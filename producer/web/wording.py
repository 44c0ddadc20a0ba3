"""What Volley's own words say over HTTP: they are written for the command line too, where a field is an option."""

import re

_FIELDS = {"error": "errors"}
"""Options whose field has another name. The others differ in their dashes."""
_WORDS = re.compile(r"volley(?: [^\s`,;:.()]+)+|--([a-z]+(?:-[a-z]+)*)")
"""A command, which is left as it is: somebody must type it. Or an option."""


def over_http(text: str) -> str:
    """`choose a later --send-at` as ``choose a later `send_at` ``."""
    return _WORDS.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    option = found[1]
    return found[0] if option is None else f"`{_FIELDS.get(option) or option.replace('-', '_')}`"
