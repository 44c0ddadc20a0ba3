"""Sentences of the command line as they are said over HTTP: options become fields, commands stay commands."""

import pytest

from producer.web.wording import over_http


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("choose a later --send-at, or send fewer", "choose a later `send_at`, or send fewer"),
        (
            "--carrier-pool lets it choose, --from names one: give one",
            "`carrier_pool` lets it choose, `from` names one: give one",
        ),
        ("as in --error 40008", "as in `errors` 40008"),
        (
            "run `volley numbers sync --profile 40-01`: or --from",
            "run `volley numbers sync --profile 40-01`: or `from`",
        ),
        ("first, with volley campaigns set 06h1 --expires", "first, with volley campaigns set 06h1 --expires"),
        ("21:00-08:00 -- or +12025550100", "21:00-08:00 -- or +12025550100"),
    ],
)
def test_an_option_is_named_as_its_field_and_a_command_stays_as_somebody_types_it(said: str, told: str) -> None:
    assert over_http(said) == told
