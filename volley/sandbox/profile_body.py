"""What a POST or a PATCH of a messaging profile may hold, and the profile that comes of it."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from volley.sandbox.bodies import Body
from volley.sandbox.profile_spec import NumberPool, ProfileSpec, UrlShortener
from volley.sandbox.replies import Refusal

URL_DOMAINS = ("sandbox.example.com", "go.example.com")
"""Those of GET /messaging_url_domains."""

_MAX_URL = 2000


def _web(url: str) -> str:
    if url and (len(url) > _MAX_URL or not url.startswith(("http://", "https://"))):
        raise PydanticCustomError("10003", "must be an http or https URL of at most 2000 characters")
    return url


Url = Annotated[str, AfterValidator(_web)]
Destination = Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Alpha = Annotated[str, Field(pattern=r"^[A-Za-z0-9 ]{1,11}$")]


class _Pool(Body):
    """`{}` turns the pool off, as null does."""

    model_config = ConfigDict(extra="forbid")

    long_code_weight: Weight = 1
    toll_free_weight: Weight = 1
    skip_unhealthy: bool = False
    sticky_sender: bool = False
    geomatch: bool = False


class _Shortener(Body):
    domain: str
    prefix: str = ""
    replace_blacklist_only: bool = False
    send_webhooks: bool = False


class ProfileUpdate(Body):
    """UpdateMessagingProfileRequest, and the two fields of redaction that the SDK sends."""

    name: str = Field("", min_length=1)
    enabled: bool = True
    whitelisted_destinations: tuple[Destination, ...] = ()
    webhook_url: Url | None = None
    webhook_failover_url: Url | None = None
    webhook_api_version: Literal["1", "2", "2010-04-01"] = "2"
    number_pool_settings: _Pool | None = None
    url_shortener_settings: _Shortener | None = None
    alpha_sender: Alpha | None = None
    daily_spend_limit: str = Field("0.00", pattern=r"^[0-9]+(?:\.[0-9]+)?$")
    daily_spend_limit_enabled: bool = False
    mms_fall_back_to_sms: bool = False
    mms_transcoding: bool = False
    mobile_only: bool = False
    smart_encoding: bool = False
    ai_assistant_id: str | None = Field(None, max_length=64)
    redaction_enabled: bool = False
    redaction_level: int = 2
    v1_secret: str = ""

    def over(self, spec: ProfileSpec) -> ProfileSpec:
        """`spec` with what was given in its place. Settings of the pool are merged. Raises Refusal 40327."""
        fields = self.given
        fields.pop("v1_secret", None)
        for name in ("webhook_url", "webhook_failover_url"):
            if name in fields:
                fields[name] = fields[name] or ""
        if "number_pool_settings" in fields:
            del fields["number_pool_settings"]
            fields["number_pool"] = _merged(self.number_pool_settings, spec.number_pool)
        if "url_shortener_settings" in fields:
            del fields["url_shortener_settings"]
            fields["url_shortener"] = _shortener(self.url_shortener_settings)
        return replace(spec, **fields)  # type: ignore[arg-type]


class ProfileCreation(ProfileUpdate):
    """CreateMessagingProfileRequest."""

    name: str = Field(min_length=1)
    whitelisted_destinations: tuple[Destination, ...]
    resource_group_id: str | None = Field(None, max_length=64)
    health_webhook_url: Url | None = None

    def spec(self) -> ProfileSpec:
        """Raises Refusal 10004 where the pool's settings lack what the schema wants."""
        pool = self.number_pool_settings
        if pool is not None and pool.given:
            for name in ("toll_free_weight", "long_code_weight", "skip_unhealthy"):
                if name not in pool.given:
                    raise Refusal("10004", f"{name} is required.", pointer=f"/number_pool_settings/{name}")
        return self.over(ProfileSpec(pool=(), number_pool=None))


def _merged(given: _Pool | None, known: NumberPool | None) -> NumberPool | None:
    if given is None or not given.given:
        return None
    return replace(known or NumberPool(), **given.given)  # type: ignore[arg-type]


def _shortener(given: _Shortener | None) -> UrlShortener | None:
    if given is None:
        return None
    if given.domain not in URL_DOMAINS:
        raise Refusal("40327", pointer="/url_shortener_settings/domain")
    return UrlShortener(given.domain, given.prefix, given.replace_blacklist_only, given.send_webhooks)
