"""How many parts a second: of the account, each profile, each kind of sender, each number."""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from volley.sender import SenderType

DEFAULT_RATES: dict[SenderType, Decimal] = {
    "long_code": Decimal("0.1"),
    "toll_free": Decimal(20),
    "short_code": Decimal(1000),
    "alphanumeric": Decimal("0.1"),
}
"""Parts per second and sender: Telnyx's published defaults (rate limiting, 2026-04). Contracts differ."""


LEAST_RATE = Decimal("0.001")
"""A part in a thousand seconds: rates are kept in thousandths."""


class Rates(BaseModel):
    """Parts per second: the account, each profile by id, each sender type, each number. Later ones override.

    `account_mms` holds for MMS beside `account`; `campaign` by registered 10DLC campaign id, shared by all its numbers.
    """

    model_config = ConfigDict(extra="forbid")

    account: Decimal = Decimal(50)
    profile: dict[str, Decimal] = Field(default_factory=dict)
    long_code: Decimal = DEFAULT_RATES["long_code"]
    toll_free: Decimal = DEFAULT_RATES["toll_free"]
    short_code: Decimal = DEFAULT_RATES["short_code"]
    alphanumeric: Decimal = DEFAULT_RATES["alphanumeric"]
    number: dict[str, Decimal] = Field(default_factory=dict)
    account_mms: Decimal = Decimal(15)
    campaign: dict[str, Decimal] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _positive(self) -> Self:
        flat = [self.account, self.account_mms, self.long_code, self.toll_free, self.short_code, self.alphanumeric]
        own = (*self.profile.values(), *self.number.values(), *self.campaign.values())
        if any(rate < LEAST_RATE for rate in (*flat, *own)):
            raise ValueError(
                "rates are parts per second, 0.001 at least; take a number out of the pool instead of giving it 0"
            )
        return self

    def of(self, number: str, kind: SenderType) -> Decimal:
        """The rate of one sender."""
        override = self.number.get(number)
        default: Decimal = getattr(self, kind)
        return default if override is None else override
