"""What a check came to."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line. `found` says what there is, `todo` what to do about it; neither holds a key, a secret or a person's number."""

    check: str
    state: State
    found: str
    todo: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ok(check: str, found: str) -> Verdict:
    return Verdict(check, "ok", found)


def warning(check: str, found: str, todo: str) -> Verdict:
    return Verdict(check, "warning", found, todo)


def failed(check: str, found: str, todo: str) -> Verdict:
    return Verdict(check, "failed", found, todo)
