"""A request for messages is known again by how it was made, whatever other ones came in between."""

from producer.push.request import PushRequest
from producer.web.mark import Text, mark_of
from producer.web.messages import Messages

TEXTS = [Text("+13125550001", "Your code is 1234")]
SAME_MOMENT = ("2031-01-01T12:00:00+00:00", "2031-01-01T13:00:00+01:00")


def request(expires: str | None = None, key: str = "a") -> PushRequest:
    fields = {"profile": "p", "to": "+13125550001", "text": "Your code is 1234", "expires": expires}
    return Messages.model_validate(fields).request(key)


def test_the_same_moment_spelled_otherwise_is_another_request_in_whatever_order_they_come() -> None:
    marks = [mark_of(request(spelled), TEXTS) for spelled in (*SAME_MOMENT, *reversed(SAME_MOMENT))]
    assert len(set(marks)) == 2
    assert marks == [*marks[:2], *reversed(marks[:2])]
    assert [request(spelled).expires.isoformat() for spelled in SAME_MOMENT if request(spelled).expires] == [
        *SAME_MOMENT
    ]


def test_which_key_asks_makes_no_other_request() -> None:
    assert mark_of(request(key="a"), TEXTS) == mark_of(request(key="b"), TEXTS)
    assert request(key="a") != request(key="b"), "they are gathered apart all the same"
