"""The feed of events, page by page or live: where a reader stands in it, and what the lines of the stream say. No socket in here."""

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from .asks import Ask, Headers, as_model, fields
from .models import Event, Events
from .problems import UnexpectedAnswer, VolleyError
from .retries import Retries, worth_another

_PATH = "/v1/events"
_PAGE = 500


class Feed:
    """A reader's place. It is behind the last event that was given out, so that nothing is missed and nothing comes twice."""

    def __init__(self, cursor: str | None, types: Sequence[str], campaign: str | None, retries: Retries) -> None:
        self.cursor = cursor
        self._wish = {"types": ",".join(types) or None, "campaign": campaign}
        self._retries = retries
        self._in_vain = 0
        self._fields: dict[str, str] = {}

    def page(self) -> Ask[Events]:
        return Ask("GET", _PATH, as_model(Events), fields({"cursor": self.cursor, "limit": _PAGE, **self._wish}))

    def turn(self, page: Events) -> bool:
        """Goes on behind a page; whether there was anything in it."""
        self.cursor = page.next_cursor
        return bool(page.events)

    def live(self) -> Ask[None]:
        self._fields = {}
        headers = {"Accept": "text/event-stream"}
        return Ask("GET", _PATH, _nothing, fields({"cursor": self.cursor, **self._wish}), headers)

    def line(self, line: str) -> Event | None:
        """A line of the stream (WHATWG server-sent events): the event that it completes."""
        self._in_vain = 0
        if line:
            name, _, value = line.partition(":")
            self._fields[name] = value.removeprefix(" ")
            return None
        told, self._fields = self._fields, {}
        event = _event(told)
        self.cursor = told.get("id", self.cursor)
        return event

    def pause_s(self, error: VolleyError | None) -> float:
        """How long to wait before the stream is opened again; raises what ended it where that will not help."""
        self._in_vain += 1
        if error is not None and (not worth_another(error, repeatable=True) or self._in_vain >= self._retries.tries):
            raise error
        return self._retries.wait_s(self._in_vain, error)


def _nothing(_headers: Headers, _body: bytes) -> None:
    """What is read line by line."""


def _event(told: Mapping[str, str]) -> Event | None:
    """None for a place in the feed without an event."""
    if "data" not in told:
        return None
    try:
        return Event.model_validate_json(told["data"])
    except ValidationError:
        raise UnexpectedAnswer("the stream holds no event: is this client too old?") from None
