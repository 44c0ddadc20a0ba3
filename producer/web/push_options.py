"""What a push over HTTP may ask for: the same names in the query and in a JSON body. It becomes a PushRequest."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from producer.push.request import MAX_WEIGHT, MmsFallback, PushRequest
from volley.campaign import Encoding, OnUnknown, Priority

FIRST_REJECTED = 100
"""Rejected rows that the answer names; all of them are in rejects.csv."""
MOST_TESTERS = 10

_Text = Annotated[str, Field(max_length=10_000)]
_Short = Annotated[str, Field(min_length=1, max_length=100)]
_Link = Annotated[str, Field(max_length=2000)]


class PushOptions(BaseModel):
    """Give `text` (sent as it is) or `template` (`{name}`, `{name|default}`). What is not given is as the profile or the settings say."""

    model_config = ConfigDict(extra="forbid")

    profile: Annotated[_Short, Field(description="messaging profile whose pool sends")]
    text: Annotated[_Text | None, Field(description="the text, sent as it is")] = None
    template: Annotated[_Text | None, Field(description="text with {name} or {name|default}; {{ is a brace")] = None
    sender: Annotated[_Short | None, Field(alias="from", description="this sender, not the pool")] = None
    fallback: Annotated[_Short | None, Field(description="number where an alphanumeric sender is refused")] = None
    carrier_pool: Annotated[bool, Field(description="the carrier chooses the number")] = False
    region: Annotated[_Short | None, Field(description="reads national numbers, as in US")] = None
    priority: Priority = "bulk"
    weight: Annotated[int, Field(ge=1, le=MAX_WEIGHT, description="share among campaigns of one priority")] = 1
    encoding: Encoding = "auto"
    smart_encoding: Annotated[bool | None, Field(description="counted so; else as the profile has it")] = None
    media: Annotated[list[_Link], Field(max_length=10, description="links: an MMS with these")] = []
    subject: Annotated[_Text, Field(description="the MMS's")] = ""
    mms_fallback: Annotated[MmsFallback | None, Field(description="who can get no MMS: refused, or a text")] = None
    rate: Annotated[Decimal | None, Field(gt=0, description="parts a second, of this campaign alone")] = None
    start: Annotated[AwareDatetime | None, Field(description="nothing is sent before")] = None
    quiet_hours: Annotated[
        _Short | None,
        Field(description="21:00-08:00 on the recipients' own clocks; none: no such hours; else the account's"),
    ] = None
    budget: Annotated[Decimal | None, Field(gt=0, description="in the prices' currency: stops the next message")] = None
    pause_on_failures: Annotated[Decimal | None, Field(gt=0, le=1, description="share at which it pauses itself")] = (
        None
    )
    pause_on_opt_outs: Annotated[Decimal | None, Field(gt=0, le=1, description="share at which it pauses itself")] = (
        None
    )
    send_at: Annotated[
        AwareDatetime | None, Field(description="the carrier keeps it until then: 5 minutes to 5 days ahead")
    ] = None
    expires: Annotated[AwareDatetime | None, Field(description="nothing is sent after this")] = None
    on_unknown: OnUnknown = "hold"
    again: Annotated[bool, Field(description="though the same was pushed within 24 h")] = False
    tags: Annotated[list[_Short], Field(max_length=20)] = []
    callback_url: Annotated[_Link | None, Field(description="https, on the internet: told of its events, signed")] = (
        None
    )

    def request(self, **more: Any) -> PushRequest:
        """Raises UnusableInput for values that contradict each other."""
        fields = self.model_dump(include=set(PushOptions.model_fields))
        own = {"tags": tuple(self.tags), "media": tuple(self.media), "media_check": False, "examples": FIRST_REJECTED}
        return PushRequest(**{**fields, **own, **more})


class PushQuery(PushOptions):
    """The options of CSV and JSON lines; of a JSON body too, where they are not in it."""

    profile: Annotated[_Short | None, Field(description="messaging profile whose pool sends")] = None  # type: ignore[assignment]
    dry_run: Annotated[bool, Field(description="what it would be and cost; sends nothing")] = False
    test_to: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(max_length=MOST_TESTERS, description="numbers that get the texts of the first rows, and nobody else any"),
    ] = []


class JsonPush(PushOptions):
    """A push in one JSON object. Lists that are longer than the body may be go as CSV or JSON lines."""

    recipients: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, description="objects with `to`, perhaps `reference`, and the template's variables"),
    ]


def options_of(query: PushQuery, sent: dict[str, Any]) -> dict[str, Any]:
    """The options of both places, `sent` (of the JSON body) before the query's."""
    given = query.model_dump(by_alias=True, exclude_unset=True, exclude={"dry_run", "test_to"})
    return given | sent
