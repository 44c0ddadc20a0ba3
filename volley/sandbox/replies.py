"""Answers as bytes: the frame of HTTP, and Telnyx's error bodies from the table `errors.csv`."""

import csv
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import orjson

_JSON = b"content-type: application/json; charset=utf-8\r\n"
_OK = b"HTTP/1.1 200 OK\r\n" + _JSON
_DOCS = "https://developers.telnyx.com/docs/overview/errors/"


class Known(NamedTuple):
    status: int
    title: str
    detail: str


def _table() -> dict[str, Known]:
    with (Path(__file__).parent / "errors.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: Known(int(row["status"]), row["title"], row["detail"]) for row in csv.DictReader(file)}


ERRORS = _table()
"""Code → HTTP status at the POST, title, detail. Statuses that nothing published settles are a guess, as docs/sandbox.md says."""


class Refusal(Exception):
    """A request that Telnyx refuses. `pointer` is a JSON pointer into the body, `parameter` a query parameter."""

    def __init__(self, code: str, detail: str = "", *, pointer: str = "", parameter: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.parameter = parameter

    @property
    def status(self) -> int:
        return ERRORS[self.code].status

    def body(self) -> bytes:
        known = ERRORS[self.code]
        return error_body(self.code, known.title, self.detail or known.detail, self.pointer, self.parameter)

    def plain(self) -> bytes:
        """The answer of the reporting endpoints, whose errors have neither `meta` nor `source`."""
        known = ERRORS[self.code]
        error = {"code": self.code, "title": known.title, "detail": self.detail or known.detail}
        return http_reply(self.status, orjson.dumps({"errors": [error]}))

    def raw(self, headers: bytes = b"") -> bytes:
        return http_reply(self.status, self.body(), headers)


def bare_error(code: str, detail: str = "") -> bytes:
    """One messaging_Error, as it is."""
    known = ERRORS[code]
    error = {"code": code, "title": known.title, "detail": detail or known.detail, "meta": {"url": _DOCS + code}}
    return orjson.dumps(error)


def error_body(code: str, title: str, detail: str, pointer: str = "", parameter: str = "") -> bytes:
    """`{"errors": [one error]}`; `source` only where there is something to point at."""
    error: dict[str, object] = {"code": code, "title": title, "detail": detail, "meta": {"url": _DOCS + code}}
    source = {name: value for name, value in (("pointer", pointer), ("parameter", parameter)) if value}
    if source:
        error["source"] = source
    return orjson.dumps({"errors": [error]})


def http_reply(status: int, body: bytes, headers: bytes = b"", kind: bytes = _JSON) -> bytes:
    """A whole answer. `headers` are lines that each end in CR LF."""
    reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    return b"HTTP/1.1 %d %s\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
        status,
        reason.encode(),
        kind,
        headers,
        len(body),
        body,
    )


def ok(body: bytes, headers: bytes = b"") -> bytes:
    """200 with JSON: `http_reply` for the path that is taken ten thousand times a second."""
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (_OK, headers, len(body), body)
