"""Who texted STOP: the words, the block of a profile and a person, and GET /v2/messaging_optouts."""

from collections.abc import Mapping
from typing import NamedTuple

from volley.sandbox.moments import moment, read_moment
from volley.sandbox.paging import page
from volley.sandbox.pool import SandboxProfile

STOP_WORDS = frozenset({"STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
START_WORDS = frozenset({"START", "UNSTOP"})
HELP_WORDS = frozenset({"HELP", "INFO"})

_MEANINGS = {"STOP": STOP_WORDS, "START": START_WORDS, "HELP": HELP_WORDS}
_OPERATIONS = {"stop": "STOP", "start": "START", "info": "HELP"}


class OptOut(NamedTuple):
    """`number` is ours, the one that got the word; `person` is who sent it."""

    number: str
    person: str
    profile: str
    keyword: str
    created_us: int


def keyword(text: str) -> str:
    """The whole message as a word of the lists, whatever its case and the space around it."""
    return " ".join(text.split()).upper()


def _meaning(profile: SandboxProfile, word: str) -> str | None:
    for meaning, words in _MEANINGS.items():
        if word in words:
            return meaning
    for custom in profile.autoresponses.values():
        listed = custom.get("keywords")
        if isinstance(listed, list) and word in map(keyword, listed):
            return _OPERATIONS.get(str(custom.get("op")))
    return None


class OptOuts:
    """A room of App (app.py). A block holds for a profile and a person, whichever number of the profile sends."""

    def __init__(self) -> None:
        self.by_profile: dict[str, dict[str, OptOut]] = {}

    def blocks(self, profile: str, person: str) -> bool:
        return person in self.by_profile.get(profile, ())

    def hear(self, profile: SandboxProfile, number: str, person: str, text: str, now_us: int) -> str | None:
        """What an inbound text does to the list; `autoresponse_type` of its webhook."""
        word, name = keyword(text), profile.spec.id
        meant = _meaning(profile, word)
        if meant == "STOP":
            self.by_profile.setdefault(name, {})[person] = OptOut(number, person, name, word, now_us)
        elif meant == "START":
            self._unblock(name, person)
        return meant

    def _unblock(self, profile: str, person: str) -> None:
        people = self.by_profile.get(profile, {})
        people.pop(person, None)
        if not people:
            self.by_profile.pop(profile, None)

    def answer(self, method: bytes, steps: list[str], query: dict[str, str], body: bytes) -> bytes | None:
        if method != b"GET" or steps != ["messaging_optouts"]:
            return None
        redacted = query.get("redaction_enabled", "").lower() == "true"
        found = [each for people in self.by_profile.values() for each in people.values() if _wanted(each, query)]
        found.sort(key=lambda each: each.created_us)
        return page(found, lambda each: _row(each, redacted), query)


def _wanted(each: OptOut, query: Mapping[str, str]) -> bool:
    since, until = (_bound(query, f"created_at[{word}]") for word in ("gte", "lte"))
    return (
        query.get("filter[messaging_profile_id]", each.profile) == each.profile
        and query.get("filter[from]", each.number).replace(" ", "+") == each.number
        and (since is None or each.created_us >= since)
        and (until is None or each.created_us <= until)
    )


def _bound(query: Mapping[str, str], name: str) -> int | None:
    return read_moment(query[name], parameter=name) if query.get(name) else None


def _row(each: OptOut, redacted: bool) -> dict[str, object]:
    """OptOutItem."""
    return {
        "from": each.number,
        "to": f"{each.person[:-4]}****" if redacted else each.person,
        "messaging_profile_id": each.profile,
        "keyword": each.keyword,
        "created_at": moment(each.created_us),
    }
