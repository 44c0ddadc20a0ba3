"""Numbers, profiles and their states as rows of JSON, one function for each of Telnyx's schemas."""

import functools
import uuid
from dataclasses import asdict

from volley.sandbox.config import ORGANIZATION_ID
from volley.sandbox.moments import moment
from volley.sandbox.number_spec import Assignment, FeatureSet, Health, Verification
from volley.sandbox.paging import Row
from volley.sandbox.pool import SandboxNumber, SandboxProfile

_MADE = "2025-01-23T18:10:02.574+00:00"
"""When everything was made that was there at the start."""

_SPELLINGS = {"long_code": "long-code", "toll_free": "toll-free", "short_code": "short-code"}
_SECRET = "rP1VamejkU2v0qIUxntqLW2c"
BRAND_ID, TCR_BRAND_ID = "5a4db0c5-0000-4000-8003-000000000001", "BSANDBX"


def when(wall_us: int) -> str:
    """A moment; 0 is before the sandbox began."""
    return moment(wall_us) if wall_us else _MADE


def number_row(number: SandboxNumber) -> Row:
    """PhoneNumberWithMessagingSettings."""
    return {
        "record_type": "messaging_settings",
        "id": number.id,
        "phone_number": number.number,
        "messaging_profile_id": number.profile.spec.id if number.profile else None,
        "organization_id": ORGANIZATION_ID,
        "country_code": number.country,
        "type": _SPELLINGS[number.type],
        "messaging_product": number.product,
        "traffic_type": number.traffic,
        "eligible_messaging_products": number.products,
        "features": {"sms": number.sms and _dict(number.sms), "mms": number.mms and _dict(number.mms)},
        "health": _dict(number.health),
        "tags": number.tags,
        "created_at": _MADE,
        "updated_at": when(number.updated_us),
    }


@functools.lru_cache(maxsize=4096)
def _dict(part: Health | FeatureSet) -> Row:
    """Thousands of numbers share theirs."""
    return asdict(part)


def short_code_row(number: SandboxNumber) -> Row:
    """ShortCode."""
    return {
        "record_type": "short_code",
        "id": number.id,
        "short_code": number.number,
        "country_code": number.country,
        "messaging_profile_id": number.profile.spec.id if number.profile else None,
        "tags": number.tags,
        "created_at": _MADE,
        "updated_at": when(number.updated_us),
    }


def alphanumeric_row(number: SandboxNumber) -> Row:
    """AlphanumericSenderId."""
    row: Row = {
        "record_type": "alphanumeric_sender_id",
        "id": number.id,
        "alphanumeric_sender_id": number.number,
        "messaging_profile_id": number.profile.spec.id if number.profile else None,
        "organization_id": ORGANIZATION_ID,
    }
    return row | {"us_long_code_fallback": number.fallback} if number.fallback else row


def profile_row(profile: SandboxProfile) -> Row:
    """MessagingProfile."""
    spec = profile.spec
    return {
        "record_type": "messaging_profile",
        "id": spec.id,
        "organization_id": ORGANIZATION_ID,
        "name": spec.name,
        "enabled": spec.enabled,
        "webhook_url": spec.webhook_url or None,
        "webhook_failover_url": spec.webhook_failover_url or None,
        "webhook_api_version": spec.webhook_api_version,
        "whitelisted_destinations": spec.whitelisted_destinations,
        "number_pool_settings": None if spec.number_pool is None else asdict(spec.number_pool),
        "url_shortener_settings": None if spec.url_shortener is None else asdict(spec.url_shortener),
        "alpha_sender": spec.alpha_sender,
        "daily_spend_limit": spec.daily_spend_limit,
        "daily_spend_limit_enabled": spec.daily_spend_limit_enabled,
        "mms_fall_back_to_sms": spec.mms_fall_back_to_sms,
        "mms_transcoding": spec.mms_transcoding,
        "mobile_only": spec.mobile_only,
        "smart_encoding": spec.smart_encoding,
        "resource_group_id": spec.resource_group_id,
        "ai_assistant_id": spec.ai_assistant_id,
        "health_webhook_url": spec.health_webhook_url,
        "redaction_enabled": spec.redaction_enabled,
        "redaction_level": spec.redaction_level,
        "v1_secret": profile.v1_secret or _SECRET,
        "created_at": when(profile.created_us),
        "updated_at": when(profile.updated_us),
    }


@functools.lru_cache(maxsize=1024)
def telnyx_campaign_id(tcr_campaign_id: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, tcr_campaign_id))


def campaign_row(number: SandboxNumber, assignment: Assignment) -> Row:
    """PhoneNumberCampaign."""
    row: Row = {
        "phoneNumber": number.number,
        "campaignId": assignment.campaign_id,
        "tcrCampaignId": assignment.campaign_id,
        "telnyxCampaignId": telnyx_campaign_id(assignment.campaign_id),
        "brandId": BRAND_ID,
        "tcrBrandId": TCR_BRAND_ID,
        "assignmentStatus": assignment.status,
        "createdAt": when(assignment.created_us),
        "updatedAt": when(assignment.updated_us),
    }
    return row | {"failureReasons": assignment.failure} if assignment.failure else row


def verification_row(request: Verification) -> Row:
    """VerificationRequestStatus."""
    row = request.body | {
        "id": request.id,
        "verificationStatus": request.status,
        "createdAt": when(request.created_us),
        "updatedAt": when(request.updated_us),
    }
    return row | {"reason": request.reason} if request.reason else row


def egress_row(request: Verification) -> Row:
    """VerificationRequestEgress: what POST and PATCH answer."""
    named = {"id": request.id, "verificationRequestId": request.id, "verificationStatus": request.status}
    return request.body | named
