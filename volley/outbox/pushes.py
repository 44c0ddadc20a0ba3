"""A push on its way to being a campaign: the arguments of lua/seal.lua."""

from volley.campaign import Campaign


def sealing(
    campaign: Campaign, profile_index: bytes, sender_index: str, key_ttl_s: int
) -> tuple[str | bytes | int, ...]:
    return (
        campaign.id,
        campaign.to_json(),
        campaign.idempotency_key,
        campaign.content_hash,
        key_ttl_s,
        campaign.accepted,
        campaign.chunks,
        campaign.weight,
        profile_index,
        campaign.priority[0],
        campaign.expires_us,
        sender_index,
    )
