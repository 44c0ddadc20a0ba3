"""A campaign's own terms, as its push asks for them: fields of a Campaign."""

from collections.abc import Sequence
from typing import Any

from producer.push.request import PushRequest
from producer.push.zoning import Zoning, hours_of
from volley.settings import Settings
from volley.terms import budget_micros, moment_us, rate_milli, share_ppm


def terms_of(request: PushRequest) -> dict[str, Any]:
    """Raises UnusableInput for a value out of range."""
    return {
        "rate_milli": rate_milli(request.rate),
        "start_us": moment_us(request.start, "the moment of the start"),
        "budget_micros": budget_micros(request.budget),
        "pause_on_failures_ppm": share_ppm(request.pause_on_failures),
        "pause_on_opt_outs_ppm": share_ppm(request.pause_on_opt_outs),
    }


def quiet_of(request: PushRequest, settings: Settings, zoning: Zoning | None, groups: Sequence[int]) -> dict[str, Any]:
    """Its quiet hours, and the group of each chunk. What the carrier keeps until its moment has been looked at, and goes at any hour."""
    if zoning is None or request.send_at is not None:
        return {}
    return {"quiet_hours": hours_of(request, settings), "zones": zoning.groups, "chunk_zones": tuple(groups)}
