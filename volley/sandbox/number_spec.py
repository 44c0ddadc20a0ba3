"""What a number of the sandbox is, and what can be changed about it by config or by PUT /_sandbox/numbers/{number}."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeGuard, get_args

from pydantic import BaseModel, ConfigDict

TimeFrame = Literal["1h", "3h", "24h", "3d", "7d", "30d"]
CampaignStatus = Literal[
    "ASSIGNED", "PENDING_ASSIGNMENT", "FAILED_ASSIGNMENT", "PENDING_UNASSIGNMENT", "FAILED_UNASSIGNMENT"
]
VerificationStatus = Literal[
    "Verified", "Rejected", "Waiting For Vendor", "Waiting For Customer", "Waiting For Telnyx", "In Progress"
]


def is_campaign_status(status: str) -> TypeGuard[CampaignStatus]:
    return status in get_args(CampaignStatus)


def is_verification_status(status: str | None) -> TypeGuard[VerificationStatus]:
    return status in get_args(VerificationStatus)


LEAST_SUCCESS, MOST_SPAM = 0.25, 0.75
"""Beyond these a number is unhealthy (OpenAPI, NumberPoolSettings.skip_unhealthy)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`health` of a number: NumberHealthMetrics."""

    message_count: int = 122
    inbound_outbound_ratio: float = 0.43
    success_ratio: float = 0.94
    spam_ratio: float = 0.06
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    @property
    def good(self) -> bool:
        return self.success_ratio >= LEAST_SUCCESS and self.spam_ratio <= MOST_SPAM


HEALTHY = Health()
UNHEALTHY = Health(success_ratio=0.2, spam_ratio=0.8)


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """MessagingFeatureSet."""

    domestic_two_way: bool = True
    international_inbound: bool = True
    international_outbound: bool = True
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


SMS = FeatureSet()
MMS = FeatureSet(international_inbound=False, international_outbound=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A long code's place in a 10DLC campaign."""

    campaign_id: str
    status: CampaignStatus
    failure: str = ""
    created_us: int = 0
    updated_us: int = 0


@dataclass(slots=True, eq=False)
class Verification:
    """A toll-free verification request. `body` is as it was asked for; `history` begins with the oldest."""

    id: str
    body: dict[str, object]
    status: VerificationStatus
    reason: str = ""
    created_us: int = 0
    updated_us: int = 0
    history: list[tuple[VerificationStatus, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.history.append((self.status, self.reason, self.created_us))

    def move(self, status: VerificationStatus, reason: str, now_us: int) -> None:
        self.status, self.reason, self.updated_us = status, reason, now_us
        self.history.append((status, reason, now_us))

    @property
    def numbers(self) -> list[str]:
        listed = self.body["phoneNumbers"]
        return [str(each["phoneNumber"]) for each in listed] if isinstance(listed, list) else []


_ASKED: dict[str, object] = {
    "businessName": "Sandbox Inc.",
    "corporateWebsite": "https://example.com",
    "businessAddr1": "1 Fiction Way",
    "businessCity": "Springfield",
    "businessState": "IL",
    "businessZip": "62701",
    "businessContactFirstName": "Alex",
    "businessContactLastName": "Example",
    "businessContactEmail": "alex@example.com",
    "businessContactPhone": "+12025550100",
    "messageVolume": "100,000",
    "useCase": "Order Notifications",
    "useCaseSummary": "Orders and deliveries of an invented shop",
    "productionMessageContent": "Your order is ready. Reply STOP to opt out.",
    "optInWorkflow": "Customers tick a box when they order",
    "optInWorkflowImageURLs": [{"url": "https://example.com/opt-in.png"}],
    "additionalInformation": "",
}


def verification(index: int, number: str, status: VerificationStatus) -> Verification:
    """A request for one number, as if it had been made before the sandbox began."""
    body = _ASKED | {"phoneNumbers": [{"phoneNumber": number}]}
    return Verification(f"5a4db0c5-0000-4000-8002-{index:012x}", body, status)


class HealthChange(BaseModel):
    """The ratios that change, as in Health."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_count: int = 0
    inbound_outbound_ratio: float = 0.0
    success_ratio: float = 0.0
    spam_ratio: float = 0.0


class NumberChange(BaseModel):
    """What is not given stays. `health` and `features` are merged; a feature that is null is gone.

    `registration` is a campaign status (long code), a verification status (toll-free), or null for none; `failure` says why
    it failed. `provisioning`: the number is not in the lists yet and cannot send.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    health: HealthChange = HealthChange()
    features: dict[Literal["sms", "mms"], FeatureSet | None] = {}
    registration: CampaignStatus | VerificationStatus | None = None
    campaign_id: str = ""
    failure: str = ""
    messaging_product: str = "A2P"
    eligible_messaging_products: tuple[str, ...] = ()
    traffic_type: str = "A2P"
    tags: tuple[str, ...] = ()
    provisioning: bool = False
