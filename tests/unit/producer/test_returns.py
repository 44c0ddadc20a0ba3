"""What status says of webhooks: counts, and a sentence where something is amiss of late."""

from producer.sight.returns import amiss, document

NOW = 1_767_225_600_000_000
HOUR = 3_600_000_000


def test_counts_come_with_the_moment_of_the_last() -> None:
    assert document({"heard": (2, NOW), "applied": (7, 0)}) == {
        "applied": {"count": 7, "last": None},
        "heard": {"count": 2, "last": "2026-01-01T00:00:00.000+00:00"},
    }


def test_what_comes_to_the_failover_address_says_that_the_first_one_fails() -> None:
    [line] = amiss({"failover": (3, NOW - 60_000_000), "applied": (9, NOW)}, NOW)
    assert line.startswith("webhooks come to the failover address: the first one fails")
    assert "3 so far" in line


def test_what_was_long_ago_is_not_told() -> None:
    assert list(amiss({"failover": (3, NOW - HOUR), "unreadable": (1, NOW - 2 * HOUR)}, NOW)) == []


def test_a_forgery_among_good_ones_is_no_news_and_refusals_alone_are() -> None:
    assert list(amiss({"refused": (3, NOW), "misfit": (3, NOW), "applied": (9, NOW)}, NOW)) == []
    for found in ({"refused": (3, NOW), "misfit": (3, NOW)}, {"refused": (21, NOW)}):
        [line] = amiss({**found, "applied": (9, NOW - HOUR)}, NOW)
        assert "TELNYX_PUBLIC_KEY" in line


def test_what_volley_doctor_tried_itself_is_not_told_as_a_wrong_key() -> None:
    assert list(amiss({"refused": (2, NOW)}, NOW)) == []
    assert list(amiss({"refused": (2, NOW), "misfit": (1, NOW - HOUR)}, NOW)) == []
