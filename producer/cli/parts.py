"""`volley parts`: JSON lines of texts in, JSON lines of encoding, units and parts out, in the order they came."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import typer

from volley.campaign import Encoding
from volley.errors import UnusableInput

_BLOCK = 1 << 16
_ENCODINGS = (None, "auto", "gsm7", "ucs2")

Answer = Callable[[dict[str, Any]], dict[str, object]]


def register(app: typer.Typer) -> None:
    app.command("parts")(parts)


def parts() -> None:
    """Encoding, units and parts of texts: JSON lines {"text", "encoding"?, "smart_encoding"?} on stdin.

    Answers a line each: {"encoding", "units", "parts", "text"}; the text is the one that would be sent.
    """
    answer = _counting()
    number = 0
    for block in _blocks(sys.stdin.fileno()):
        answers: list[bytes] = []
        try:
            for line in block:
                number += 1
                if line.strip():
                    answers.append(_one(line, number, answer))
        finally:
            # what one read brought is answered before the next read waits; also what stood above a bad line
            sys.stdout.buffer.write(b"".join(answers))
            sys.stdout.buffer.flush()


def _blocks(source: int) -> Iterator[list[bytes]]:
    rest = b""
    while data := os.read(source, _BLOCK):
        *lines, rest = (rest + data).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _counting() -> Answer:
    from volley.settings import load
    from volley.text.parts import measure
    from volley.text.smart import smart

    settings = load()
    rule, gsm_set = settings.parts_rule, settings.gsm_set

    def answer(asked: dict[str, Any]) -> dict[str, object]:
        encoding: Encoding = asked["encoding"] if asked.get("encoding") else "auto"
        tidy = bool(asked.get("smart_encoding"))
        counted = measure(asked["text"], encoding=encoding, smart_encoding=tidy, rule=rule, gsm_set=gsm_set)
        replaced = encoding == "gsm7" or (tidy and encoding == "auto")
        text = smart(asked["text"]) if replaced else asked["text"]
        return {"encoding": counted.encoding, "units": counted.units, "parts": counted.parts, "text": text}

    return answer


def _one(line: bytes, number: int, answer: Answer) -> bytes:
    try:
        asked = orjson.loads(line)
        _check(asked)
        return orjson.dumps(answer(asked)) + b"\n"
    except ValueError as error:
        raise UnusableInput(f"line {number}: {error}") from None


def _check(asked: object) -> None:
    if not isinstance(asked, dict):
        raise ValueError('not an object; one line is {"text": ...}')
    if not isinstance(asked.get("text"), str):
        raise ValueError('"text" is missing or not a string')
    if asked.get("encoding") not in _ENCODINGS:
        raise ValueError(f'"encoding" is auto, gsm7 or ucs2, not {str(asked["encoding"])[:20]!r}')
    if not isinstance(asked.get("smart_encoding"), bool | None):
        raise ValueError('"smart_encoding" is true or false')
