"""Volley and the loop it is measured against must send the same: the rows are the same at every call."""

import orjson

from bench.people import COLUMNS, FIRST, TEMPLATE, chunks, requests, strangers
from bench.pins import skewed
from volley.text.parts import count
from volley.text.template import compile_template


def test_the_same_people_get_the_same_texts_at_every_call() -> None:
    people = range(FIRST, FIRST + 700)
    assert [chunk.values for chunk in chunks(people)] == [chunk.values for chunk in chunks(people)]


def test_every_text_is_the_one_part_that_its_chunk_says() -> None:
    render = compile_template(TEMPLATE).bind(COLUMNS)
    for chunk in chunks(strangers(1_000)):
        for offset in range(len(chunk)):
            counted = count(render(chunk.row(offset)))
            assert (counted.encoding, counted.parts) == ("GSM-7", chunk.parts[offset])


def test_the_bare_loop_posts_what_a_worker_would_post() -> None:
    made = list(requests(600, ["+12025550100"], "https://sms.example.com", b"k" * 32))
    bodies = [orjson.loads(body) for body, _ in made]
    assert len({key for _, key in made}) == 600
    assert [int(body["to"]) for body in bodies] == list(range(FIRST, FIRST + 600))
    assert set(bodies[0]) == {"from", "to", "text", "messaging_profile_id", "webhook_url"}


def test_strangers_are_all_different() -> None:
    assert len(set(strangers(5_000))) == 5_000


def test_the_skew_of_pins_is_a_skew_and_everybody_is_pinned_to_a_sender_that_exists() -> None:
    people, senders = range(10_000), list(range(1, 101))
    held: dict[int, int] = {}
    for _, sender in skewed(people, senders):
        held[sender] = held.get(sender, 0) + 1
    assert sum(held.values()) == 10_000
    assert held.keys() <= set(senders)
    assert max(held.values()) > 10 * min(held.values())
