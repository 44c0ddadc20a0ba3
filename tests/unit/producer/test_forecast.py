"""What a dry run counts."""

from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

from producer.push.estimate import UNKNOWN, Estimate
from producer.push.forecast import Forecast
from producer.push.rejects import Rejects
from producer.push.request import PushRequest
from producer.push.rows import Rows
from producer.push.sources import open_source
from producer.push.totals import Totals
from volley.prices import Prices, Row
from volley.rates import Rates
from volley.sender import Sender, SenderType
from volley.settings import Settings

SENDERS = [Sender("+13125559000", "long_code", "p", rate_milli=500)]
FAST = [Sender("+13125559000", "short_code", "p", rate_milli=1_000_000)]


def foreseen(
    lines: list[str],
    settings: Settings | None = None,
    gone: frozenset[int] = frozenset(),
    senders: list[Sender] = SENDERS,
    weights: dict[str, int] | None = None,
    **fields: Any,
) -> Any:
    settings = settings or Settings()
    request = PushRequest("p", **({"template": "{text}"} | fields))
    content = "\n".join(["to,text", *(f'+1312555{n:04d},"{text}"' for n, text in enumerate(lines))])
    source = open_source(BytesIO(content.encode()))
    rows, forecast = Rows(source, request, settings, Rejects(None, ())), Forecast(request, settings)
    while (batch := rows.batch()) is not None:
        forecast.add(batch, set(gone))
    return forecast.as_json(senders, weights or {"any": 1})


def test_texts_are_counted_by_parts_and_encoding() -> None:
    found = foreseen(["a", "b", "x" * 161, "ş"])
    assert found["parts_histogram"] == {"1": 3, "2": 1}
    assert found["encodings"] == {"GSM-7": 3, "UCS-2": 1}


def test_each_character_that_forces_unicode_is_named_with_its_rows() -> None:
    found = foreseen(["şşğ", "ş é", "plain"])
    assert found["unicode"] == [
        {"character": "ş", "code": "U+015F", "name": "LATIN SMALL LETTER S WITH CEDILLA", "rows": 2},
        {"character": "ğ", "code": "U+011F", "name": "LATIN SMALL LETTER G WITH BREVE", "rows": 1},
    ]


def test_what_smart_encoding_replaces_forces_nothing() -> None:
    assert [entry["character"] for entry in foreseen(["it’s"])["unicode"]] == ["’"]
    assert foreseen(["it’s"], smart_encoding=True)["unicode"] == []
    assert [entry["character"] for entry in foreseen(["it’s ş"], smart_encoding=True)["unicode"]] == ["ş"]


def test_texts_whose_count_hangs_on_a_setting_are_flagged() -> None:
    cut = "x" * 152 + "€" + "y" * 152  # the escape pair would be cut in two
    found = foreseen(["plain", "Ça", cut])
    assert found["depends_on"] == {"gsm_set": 1, "parts_rule": 1}


def test_people_who_opted_out_are_not_in_the_forecast() -> None:
    assert foreseen(["a", "b"], gone=frozenset({13125550000}))["parts_histogram"] == {"1": 1}


def test_the_time_to_finish_is_parts_over_the_lowest_of_the_rates() -> None:
    assert foreseen(["x"] * 3)["seconds"] == 6
    assert foreseen(["x" * 161] * 3)["seconds"] == 12
    slow = Settings(rates=Rates(account=Decimal(50), profile={"p": Decimal("0.25")}))
    assert foreseen(["x"] * 3, slow)["seconds"] == 12
    assert foreseen(["x"] * 3, slow)["parts_per_second"] == "0.25"
    assert foreseen(["x"] * 100, senders=FAST)["parts_per_second"] == "50"
    assert foreseen(["x"], Settings(rates=Rates(account=Decimal("0.10"))))["parts_per_second"] == "0.1"
    account = Settings(rates=Rates(account=Decimal("0.1")))
    assert foreseen(["x"] * 3, account)["seconds"] == 30


def test_a_slow_class_with_half_of_the_people_sets_the_time_unless_the_push_names_its_sender() -> None:
    mixed = [*SENDERS, Sender("+18005559000", "toll_free", "p", rate_milli=20_000)]
    equal = {"long_code": 1, "toll_free": 1}
    assert foreseen(["x"] * 100, senders=mixed, weights=equal)["seconds"] == 100
    assert foreseen(["x"] * 100, senders=mixed)["seconds"] == 5
    assert foreseen(["x"] * 100, senders=mixed[1:], sender="+18005559000", weights=equal)["seconds"] == 5
    assert foreseen(["x"] * 100, weights=equal)["seconds"] is None


PRICES = Prices(
    [
        Row(date(2026, 1, 1), "USD", "*", "*", "*", "carrier_fee", 1000),
        Row(date(2026, 1, 1), "USD", "US", "long_code", "*", "rate", 3000),
        Row(date(2026, 1, 1), "USD", "US", "toll_free", "*", "rate", 5000),
    ]
)


def estimate(*kinds: tuple[SenderType, int]) -> Estimate:
    return Estimate(PRICES, [Sender(str(n), kind, "p", rate_milli=rate) for n, (kind, rate) in enumerate(kinds)])


def test_a_mixed_pool_costs_what_its_types_cost_by_their_share_of_the_rate() -> None:
    assert estimate(("long_code", 100)).per_part(13125550100) == 4000
    assert estimate(("long_code", 100), ("toll_free", 100)).per_part(13125550100) == 5000
    assert estimate(("long_code", 100), ("toll_free", 300), ("long_code", 200)).per_part(13125550100) == 5000
    assert estimate(("long_code", 1), ("toll_free", 99_999)).per_part(13125550100) == 6000


def test_a_country_is_priced_by_those_who_may_serve_it() -> None:
    ours = [Sender("1", "long_code", "p", reach="!US"), Sender("2", "toll_free", "p", reach="US")]
    found = Estimate(PRICES, ours, lambda home: [sender for sender in ours if sender.reaches(home)])
    assert found.per_part(13125550100) == 6000
    assert found.per_part(447400123456) == UNKNOWN
    assert Estimate(PRICES, ours, lambda _home: []).per_part(13125550100) == UNKNOWN


def test_a_price_that_is_not_known_is_never_zero() -> None:
    assert estimate(("long_code", 100)).per_part(998901234567) == UNKNOWN
    assert estimate(("long_code", 1), ("alphanumeric", 1)).per_part(13125550100) == UNKNOWN


def test_unpriced_messages_are_counted_and_add_nothing_to_the_cost() -> None:
    source = open_source(BytesIO(b"to\n+13125550100\n+998901234567\n"))
    rows = Rows(source, PushRequest("p", text="x" * 161), Settings(), Rejects(None, ()))
    totals, prices = Totals(), estimate(("long_code", 100))
    batch = rows.batch()
    assert batch is not None
    chunk = totals.add(batch, set(), prices)
    assert chunk.estimates == [2 * prices.per_part(13125550100), UNKNOWN]
    assert (totals.accepted, totals.unpriced, totals.parts) == (2, 1, 4)
    assert totals.micros == chunk.estimates[0]
