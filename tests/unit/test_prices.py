from datetime import date
from pathlib import Path

import pytest

from volley.errors import UnusableInput
from volley.prices import COLUMNS, Prices

DAY = date(2026, 11, 22)
HEADER = ",".join(COLUMNS)
FEE = "2026-01-01,,USD,*,*,*,SMS,out,*,carrier_fee,part,0,none"


def table(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text("\n".join((header, *rows)) + "\n", "utf-8")
    return path


def rate(
    country: str,
    amount: str,
    *,
    kind: str = "*",
    since: str = "2026-01-01",
    until: str = "",
    registration: str = "*",
    msg_type: str = "SMS",
    direction: str = "out",
    carrier: str = "*",
    component: str = "rate",
    unit: str = "part",
) -> str:
    return f"{since},{until},USD,{country},{kind},{registration},{msg_type},{direction},{carrier},{component},{unit},{amount},test"


@pytest.mark.parametrize("country", ["US", "CA", "GB", "AU", "DE", "FR", "IN", "BR", "MX", "JP"])
def test_the_table_that_comes_with_volley_prices_the_large_countries(country: str) -> None:
    price = Prices.load(today=DAY).per_part(country, "long_code")
    assert price is not None
    assert price > 0


def test_the_table_that_comes_with_volley_says_that_it_is_a_placeholder() -> None:
    lines = (Path(__file__).parents[2] / "volley" / "prices.csv").read_text("utf-8").splitlines()
    assert all("PLACEHOLDER" in line for line in lines[1:])


def test_a_country_without_a_row_is_unknown_and_never_free(tmp_path: Path) -> None:
    prices = Prices.load(table(tmp_path, FEE, rate("US", "0.004")), DAY)
    assert prices.per_part("SE", "long_code") is None
    assert prices.per_part("", "long_code") is None


def test_a_rate_without_a_word_about_the_carrier_fee_is_unknown(tmp_path: Path) -> None:
    assert Prices.load(table(tmp_path, rate("US", "0.004")), DAY).per_part("US", "long_code") is None
    assert Prices.load(table(tmp_path, FEE), DAY).per_part("US", "long_code") is None


def test_a_part_costs_the_rate_and_the_expected_carrier_fee(tmp_path: Path) -> None:
    path = table(tmp_path, rate("US", "0.00205"), rate("US", "0.00305", component="carrier_fee"), FEE)
    assert Prices.load(path, DAY).per_part("US", "toll_free") == 5100


def test_the_most_specific_row_wins_whatever_the_order(tmp_path: Path) -> None:
    rows = [
        FEE,
        rate("*", "0.9"),
        rate("*", "0.8", kind="toll_free"),
        rate("US", "0.5"),
        rate("US", "0.4", kind="toll_free"),
        rate("US", "0.3", kind="toll_free", registration="verified"),
    ]
    for order in (rows, rows[::-1]):
        prices = Prices.load(table(tmp_path, *order), DAY)
        assert prices.per_part("US", "toll_free") == 300_000
        assert prices.per_part("US", "long_code") == 500_000
        assert prices.per_part("SE", "toll_free") == 800_000
        assert prices.per_part("SE", "long_code") == 900_000


@pytest.mark.parametrize(
    ("day", "price"),
    [("2025-12-31", None), ("2026-01-01", 1000), ("2026-06-30", 1000), ("2026-07-01", 2000), ("2026-12-01", 3000)],
)
def test_a_rate_holds_from_its_first_day_through_its_last(tmp_path: Path, day: str, price: int | None) -> None:
    path = table(
        tmp_path,
        FEE,
        rate("US", "0.001", since="2026-01-01", until="2026-06-30"),
        rate("US", "0.002", since="2026-07-01"),
        rate("US", "0.003", since="2026-12-01"),
    )
    assert Prices.load(path, date.fromisoformat(day)).per_part("US", "long_code") == price


def test_rows_about_other_things_are_left_out(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        FEE,
        rate("US", "0.001"),
        rate("US", "0.5", kind="long_code", msg_type="MMS"),
        rate("US", "0.5", kind="long_code", direction="in"),
        rate("US", "0.5", kind="long_code", unit="message"),
        rate("US", "0.5", kind="long_code", registration="unregistered"),
        rate("US", "0.5", kind="long_code", carrier="T-MOBILE USA", component="carrier_fee"),
    )
    assert Prices.load(path, DAY).per_part("US", "long_code") == 1000


def test_the_carriers_own_spellings_of_a_sender_type_are_understood(tmp_path: Path) -> None:
    prices = Prices.load(table(tmp_path, FEE, rate("US", "0.001", kind="10dlc"), rate("GB", "0.02", kind="alpha")), DAY)
    assert prices.per_part("US", "long_code") == 1000
    assert prices.per_part("GB", "alphanumeric") == 20_000
    assert prices.per_part("GB", "long_code") is None


def test_a_spreadsheets_byte_order_mark_and_line_ends_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(("\ufeff" + "\r\n".join((HEADER, FEE, rate("US", "0.004"))) + "\r\n").encode())
    assert Prices.load(path, DAY).per_part("US", "long_code") == 4000


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (rate("US", "free"), "line 2: amount is a decimal number like 0.0040, not 'free'"),
        (rate("US", ""), "amount is a decimal number"),
        (rate("US", "-1"), "amount is zero or more"),
        (rate("US", "NaN"), "amount is zero or more"),
        (rate("us", "1"), "country is two capital letters"),
        (rate("USA", "1"), "country is two capital letters"),
        (rate("US", "1", kind="pigeon"), "sender_type is long_code"),
        (rate("US", "1", component="tax"), "component is carrier_fee or rate, not 'tax'"),
        (rate("US", "1", unit="segment"), "unit is message or part"),
        (rate("US", "1", since="1 Jan 2026"), "1 Jan 2026"),
        (rate("US", "1", until="soon"), "soon"),
        ("2026-01-01,,USD", "not 13 columns"),
        (rate("US", "1") + ",more", "not 13 columns"),
        (rate("US", '"1'), "unexpected end of data"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    with pytest.raises(UnusableInput) as refused:
        Prices.load(table(tmp_path, row), DAY)
    assert complaint in str(refused.value)
    assert "rates.csv" in str(refused.value)


def test_two_currencies_in_one_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="EUR, USD"):
        Prices.load(table(tmp_path, FEE, rate("DE", "0.07").replace("USD", "EUR")), DAY)


def test_a_table_that_is_not_there_or_not_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="cannot be read"):
        Prices.load(tmp_path / "none.csv", DAY)
    with pytest.raises(UnusableInput, match="no column effective_from"):
        Prices.load(table(tmp_path, header="country,amount"), DAY)
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n\xe9\n")
    with pytest.raises(UnusableInput, match="cannot be read"):
        Prices.load(tmp_path / "latin.csv", DAY)


MMS = {"msg_type": "MMS", "unit": "message"}


def test_an_mms_has_its_own_price_and_none_is_made_up_from_that_of_texts(tmp_path: Path) -> None:
    texts = [FEE, rate("US", "0.004")]
    assert Prices.load(table(tmp_path, *texts), DAY).per_mms("US", "long_code") is None
    fee = rate("*", "0.005", component="carrier_fee", **MMS)
    assert Prices.load(table(tmp_path, *texts, fee), DAY).per_mms("US", "long_code") is None
    prices = Prices.load(table(tmp_path, *texts, fee, rate("US", "0.015", **MMS)), DAY)
    assert prices.per_mms("US", "long_code") == 20_000
    assert prices.per_part("US", "long_code") == 4_000


@pytest.mark.parametrize("unit", ["part", "message"])
def test_a_row_for_any_type_of_message_holds_for_mms_too_and_one_for_mms_beats_it(tmp_path: Path, unit: str) -> None:
    rows = [rate("US", "0.004", msg_type="*"), rate("US", "0", msg_type="*", component="carrier_fee")]
    assert Prices.load(table(tmp_path, *rows), DAY).per_mms("US", "toll_free") == 4_000
    prices = Prices.load(table(tmp_path, *rows, rate("US", "0.02", msg_type="MMS", unit=unit)), DAY)
    assert (prices.per_mms("US", "toll_free"), prices.per_part("US", "toll_free")) == (20_000, 4_000)


def test_the_table_that_comes_with_volley_prices_mms_to_the_us() -> None:
    assert Prices.load(today=DAY).per_mms("US", "long_code") == 22_100
