"""The options that say what a messaging profile is to be; `create` and `update` have the same."""

from typing import Annotated

import typer

ProfileId = Annotated[
    str, typer.Argument(metavar="ID", help="A messaging profile's id, as volley profiles list prints it.")
]
Name = Annotated[str | None, typer.Option("--name", help="What people call it.")]
Destinations = Annotated[
    list[str] | None,
    typer.Option("--destination", help="A country that it may send to, as in US; again for more; '*' is everywhere."),
]
Enabled = Annotated[bool | None, typer.Option("--enabled/--disabled", help="Whether it sends at all.")]
WebhookUrl = Annotated[str | None, typer.Option("--webhook-url", help="Where its webhooks go; '' is nowhere.")]
FailoverUrl = Annotated[str | None, typer.Option("--failover-url", help="Where they go when that fails.")]
Pool = Annotated[
    bool | None, typer.Option("--pool/--no-pool", help="Its number pool; off: any number, first free first.")
]
LongCodeWeight = Annotated[float | None, typer.Option("--long-code-weight", help="Share of long codes in the pool.")]
TollFreeWeight = Annotated[float | None, typer.Option("--toll-free-weight", help="Share of toll-free numbers in it.")]
SkipUnhealthy = Annotated[
    bool | None, typer.Option("--skip-unhealthy/--use-unhealthy", help="Numbers with bad ratios send nothing.")
]
Sticky = Annotated[bool | None, typer.Option("--sticky/--no-sticky", help="The same number for the same person.")]
Geomatch = Annotated[bool | None, typer.Option("--geomatch/--no-geomatch", help="A number of the person's area code.")]
SpendLimit = Annotated[str | None, typer.Option("--spend-limit", metavar="USD", help="At most this much a UTC day.")]
SpendLimited = Annotated[
    bool | None, typer.Option("--limit-spend/--no-spend-limit", help="Whether the limit that was set holds.")
]
SmartEncoding = Annotated[
    bool | None, typer.Option("--smart-encoding/--no-smart-encoding", help="Curly quotes and the like become plain.")
]
MobileOnly = Annotated[bool | None, typer.Option("--mobile-only/--no-mobile-only", help="Sends to mobiles alone.")]
MmsFallback = Annotated[
    bool | None, typer.Option("--mms-fallback/--no-mms-fallback", help="MMS that cannot go go as SMS.")
]
MmsTranscoding = Annotated[
    bool | None, typer.Option("--mms-transcoding/--no-mms-transcoding", help="Media are made smaller.")
]
AlphaSender = Annotated[
    str | None, typer.Option("--alpha-sender", help="The ID for countries that want one; '' takes it away.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
