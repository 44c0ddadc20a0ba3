"""Telnyx's profiles and numbers as they come over the wire, and what they are to us. Unknown fields are ignored."""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from volley.sender import Sender, SenderType, sender_type

_LEAST_SUCCESS, _MOST_SPAM = 0.25, 0.75
"""Beyond these a number is unhealthy (Telnyx's API description, NumberPoolSettings.skip_unhealthy)."""


def _empty_is_none(value: Any) -> Any:
    return value or None


def _plain(value: Any) -> Any:
    """Ids and amounts are strings, though some of Telnyx's samples write them as numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Plain = Annotated[str, BeforeValidator(_plain)]


class Wire(BaseModel):
    """What the carrier leaves null is what it leaves out: the default."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {name: held for name, held in value.items() if held is not None} if isinstance(value, dict) else value


class PoolSettings(Wire):
    """`number_pool_settings` of a profile."""

    long_code_weight: float = Field(default=1, ge=0)
    toll_free_weight: float = Field(default=1, ge=0)
    skip_unhealthy: bool = False
    sticky_sender: bool = False
    geomatch: bool = False


class Profile(Wire):
    """A messaging profile, but for its old API's secret. `pool` is None where the number pool is off: null, {} or absent."""

    id: str
    record_type: str = "messaging_profile"
    organization_id: str | None = None
    name: str = ""
    enabled: bool = True
    whitelisted_destinations: list[str] = Field(default_factory=list)
    smart_encoding: bool = False
    alpha_sender: str | None = None
    webhook_url: str | None = None
    webhook_failover_url: str | None = None
    webhook_api_version: str = "2"
    mobile_only: bool = False
    mms_fall_back_to_sms: bool = False
    mms_transcoding: bool = False
    daily_spend_limit: Plain | None = None
    daily_spend_limit_enabled: bool = False
    redaction_enabled: bool = False
    redaction_level: int = 2
    resource_group_id: str | None = None
    ai_assistant_id: str | None = None
    health_webhook_url: str | None = None
    url_shortener_settings: dict[str, Any] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    pool: Annotated[PoolSettings | None, BeforeValidator(_empty_is_none)] = Field(None, alias="number_pool_settings")

    @property
    def weights(self) -> dict[SenderType, int] | None:
        """The pool's weights as integers in the same ratio; None where there is no pool."""
        if self.pool is None:
            return None
        shares = [Fraction(str(weight)) for weight in (self.pool.long_code_weight, self.pool.toll_free_weight)]
        scale = shares[0].denominator * shares[1].denominator
        return {"long_code": int(shares[0] * scale), "toll_free": int(shares[1] * scale)}

    def allows(self, country: str) -> bool:
        """Whether the profile sends to an ISO 3166-1 alpha-2 country."""
        return "*" in self.whitelisted_destinations or country in self.whitelisted_destinations


class Health(Wire):
    """Ratios from 0 to 1, over a time that Telnyx does not publish."""

    message_count: int = 0
    inbound_outbound_ratio: float = 0.0
    success_ratio: float = 1.0
    spam_ratio: float = 0.0

    @property
    def bad(self) -> bool:
        return self.message_count > 0 and (self.success_ratio < _LEAST_SUCCESS or self.spam_ratio > _MOST_SPAM)


class Number(Wire):
    """A phone number with its messaging settings."""

    phone_number: str
    id: Plain = ""
    record_type: str = "messaging_settings"
    organization_id: str | None = None
    type: str = ""
    country_code: str | None = None
    messaging_profile_id: str | None = None
    messaging_product: str | None = None
    traffic_type: str | None = None
    eligible_messaging_products: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    features: dict[str, Any] | None = None
    health: Health | None = None
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def kind(self) -> str:
        """Its type in one spelling; what Telnyx wrote where nobody knows that."""
        try:
            return sender_type(self.type)
        except KeyError:
            return self.type

    def sender(self, profile: Profile) -> Sender:
        """As a sender of this profile; its rate is the settings' affair."""
        kind, reason = self._kind()
        if self.features is not None and "sms" in self.features and self.features["sms"] is None:
            reason = "not enabled for SMS"
        elif profile.pool is not None and profile.pool.skip_unhealthy and self.health is not None and self.health.bad:
            reason = "unhealthy"
        return Sender(self.phone_number, kind, profile.id, self.country_code or "", active=not reason, reason=reason)

    def _kind(self) -> tuple[SenderType, str]:
        try:
            return sender_type(self.type), ""
        except KeyError:
            return "long_code", f"unknown type {self.type[:20]!r}"


class ShortCode(Wire):
    short_code: Plain
    id: Plain = ""
    record_type: str = "short_code"
    country_code: str | None = None
    messaging_profile_id: str | None = None
    tags: list[str] = Field(default_factory=list)
    created_at: str | None = None
    updated_at: str | None = None

    def sender(self, profile: Profile) -> Sender:
        return Sender(self.short_code, "short_code", profile.id, self.country_code or "")


class AlphanumericId(Wire):
    alphanumeric_sender_id: str
    id: Plain = ""
    record_type: str = "alphanumeric_sender_id"
    organization_id: str | None = None
    messaging_profile_id: str | None = None
    us_long_code_fallback: str | None = None

    def sender(self, profile: Profile) -> Sender:
        return Sender(self.alphanumeric_sender_id, "alphanumeric", profile.id)
