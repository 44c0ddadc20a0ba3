"""A fault on command, as the config and PUT /_sandbox/faults write it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

Kind = Literal["latency", "status", "lost", "cut", "cut_body", "black_hole", "truncated", "not_json", "hangup"]
"""What becomes of the answer:

latency     it comes late (`ms`), else unharmed          status      an error instead (`status`, `code`)
lost        the connection closes before the status line cut         the same, but the message is not accepted
cut_body    it ends in the middle of the body            black_hole  it never comes; the connection stays
truncated   half a JSON text, well framed                not_json    200 with an HTML page
hangup      a new connection is reset before anything is read (share, every, first, skip; no match)
"""

_REFUSING = frozenset({"status", "cut", "hangup"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """The first rule that fires decides. Of the sends that match: `skip` pass, then `first` n, `every` n-th, or a `share`.

    `first` 0: no end. `match_from` and `match_to` are whole numbers, or beginnings that end in `*`. `ms` (from, to) delays
    the answer, whatever the kind. `accept` overrides whether the message is taken before its answer is harmed. `reset`
    closes with RST, not FIN. `status` and `code` belong to `status`; `retry_after` sends that header.
    """

    kind: Kind
    share: float = 1.0
    every: int = 1
    first: int = 0
    skip: int = 0
    match_from: str = "*"
    match_to: str = "*"
    ms: tuple[float, float] = (0.0, 0.0)
    status: int = 500
    code: str = "10007"
    title: str = ""
    detail: str = ""
    retry_after: float | None = None
    accept: bool | None = None
    reset: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    @property
    def accepts(self) -> bool:
        return self.kind not in _REFUSING if self.accept is None else self.accept


_RULES = TypeAdapter(list[FaultRule])


def parse_rules(text: bytes) -> list[FaultRule]:
    """Rules from a JSON list; ValueError says which field is wrong."""
    try:
        return _RULES.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}") from None


def dump_rules(rules: list[FaultRule]) -> bytes:
    return _RULES.dump_json(rules)
