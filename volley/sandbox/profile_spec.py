"""A messaging profile as a config, a POST or a PATCH describes it, in Telnyx's words."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import ConfigDict

from volley.sandbox.number_spec import CampaignStatus, VerificationStatus
from volley.sender import SenderType

PROFILE_ID = "5a4db0c5-0000-4000-8000-000000000001"

Pool = tuple[tuple[SenderType, int, float], ...]
"""(type, how many, parts per second of each; 0 is without limit)."""

Abroad = tuple[tuple[Literal["GB", "FR", "DE"], int, float], ...]
"""(country, how many long codes, parts per second of each)."""

DEFAULT_POOL: Pool = (("long_code", 20, 0.1), ("toll_free", 4, 20))

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class NumberPool:
    """`number_pool_settings`."""

    long_code_weight: float = 1
    toll_free_weight: float = 1
    skip_unhealthy: bool = False
    sticky_sender: bool = False
    geomatch: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class UrlShortener:
    """`url_shortener_settings`."""

    domain: str
    prefix: str = ""
    replace_blacklist_only: bool = False
    send_webhooks: bool = False
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSpec:
    """A profile and the numbers that are made for it.

    Its long codes are assigned to `tcr_campaign_id` (None: to none) with `campaign_status`; each of its toll-free numbers has
    a verification request with `verification` (None: none was made).
    """

    id: str = PROFILE_ID
    name: str = "Sandbox"
    pool: Pool = DEFAULT_POOL
    abroad: Abroad = ()
    enabled: bool = True
    whitelisted_destinations: tuple[str, ...] = ("*",)
    webhook_url: str = ""
    webhook_failover_url: str = ""
    webhook_api_version: Literal["1", "2", "2010-04-01"] = "2"
    smart_encoding: bool = False
    number_pool: NumberPool | None = field(default_factory=NumberPool)
    url_shortener: UrlShortener | None = None
    alpha_sender: str | None = None
    daily_spend_limit: str = "0.00"
    daily_spend_limit_enabled: bool = False
    mms_fall_back_to_sms: bool = False
    mms_transcoding: bool = False
    mobile_only: bool = False
    resource_group_id: str | None = None
    ai_assistant_id: str | None = None
    health_webhook_url: str | None = None
    redaction_enabled: bool = False
    redaction_level: int = 2
    tcr_campaign_id: str | None = "CSANDBX"
    campaign_status: CampaignStatus = "ASSIGNED"
    verification: VerificationStatus | None = "Verified"
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
