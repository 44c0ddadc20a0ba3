"""Money: integer micro-units inside, Decimal strings at the edges, never float."""

from decimal import ROUND_HALF_EVEN, Decimal

MICROS = Decimal(1_000_000)


def micros(amount: str | int | Decimal | float) -> int:
    """Micro-units of an amount as the carrier writes it. JSON numbers pass through `str`, as published samples hold both."""
    return int((Decimal(str(amount)) * MICROS).to_integral_value(ROUND_HALF_EVEN))


def amount(value_micros: int) -> str:
    """`5100` → `"0.0051"`: a decimal string with at least two places and no trailing zeros beyond them."""
    sign, value = ("-", -value_micros) if value_micros < 0 else ("", value_micros)
    whole, fraction = divmod(value, 1_000_000)
    return f"{sign}{whole}.{f'{fraction:06d}'.rstrip('0'):0<2}"
