"""`volley send`: a file of recipients becomes a campaign. Asks before it costs anything, unless told --yes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli.terms import moment, number, option
from volley.errors import UnusableInput

File = Annotated[
    Path, typer.Argument(metavar="FILE|-", help="CSV with a header and a column `to`, or JSON lines.", allow_dash=True)
]


Smart = Annotated[
    bool | None, typer.Option("--smart-encoding/--no-smart-encoding", help="Counted so [as the profile has it].")
]
Media = Annotated[list[str] | None, typer.Option(metavar="URL", help="An MMS with this; up to ten.")]
MmsFallback = Annotated[
    str | None, typer.Option(metavar="refuse|sms", help="Who can get no MMS [as the profile has it].")
]
OnUnknownOption = Annotated[
    str, typer.Option(metavar="hold|retry|give-up", help="If an answer is lost: wait, send again, or rather lose.")
]
RateOption = Annotated[str | None, typer.Option(metavar="N", help="At most so many parts per second.")]
StartOption = Annotated[str | None, typer.Option(metavar="MOMENT", help="Nothing is sent before this.")]
QuietHoursOption = Annotated[
    str | None, typer.Option(metavar="HH:MM-HH:MM", help="Nothing is sent then, by the recipients' own clocks.")
]
BudgetOption = Annotated[
    str | None, typer.Option(metavar="N", help="Money, after which it stops with the next message.")
]
FailuresOption = Annotated[str | None, typer.Option(metavar="SHARE", help="It pauses itself when so many fail (0.1).")]
OptOutsOption = Annotated[
    str | None, typer.Option(metavar="SHARE", help="It pauses itself when so many say STOP (0.02).")
]
Rejects = Annotated[Path | None, typer.Option(help="Where rejected rows go [people.rejected.csv beside people.csv].")]


def register(app: typer.Typer) -> None:
    app.command("send")(send)


def send(
    file: File,
    profile: Annotated[str, typer.Option(metavar="ID", help="Messaging profile whose pool sends.")],
    text: Annotated[str | None, typer.Option(help="The text, sent as it is.")] = None,
    template: Annotated[str | None, typer.Option(help="Text with {name} or {name|default}; @FILE reads it.")] = None,
    sender: Annotated[str | None, typer.Option("--from", help="This sender, not the pool.")] = None,
    fallback: Annotated[str | None, typer.Option(help="Number where an alphanumeric sender is refused.")] = None,
    carrier_pool: Annotated[bool, typer.Option("--carrier-pool", help="The carrier chooses the number.")] = False,
    region: Annotated[str | None, typer.Option(help="Reads national numbers, as in US.")] = None,
    priority: Annotated[str, typer.Option(help="bulk or urgent.")] = "bulk",
    encoding: Annotated[str, typer.Option(help="auto, gsm7 or ucs2.")] = "auto",
    smart_encoding: Smart = None,
    media: Media = None,
    subject: Annotated[str, typer.Option(help="The MMS's.")] = "",
    mms_fallback: MmsFallback = None,
    media_check: Annotated[bool, typer.Option(help="Ask for the media's sizes first.")] = True,
    send_at: Annotated[str | None, typer.Option(help="The carrier keeps it until then (5 min to 5 days).")] = None,
    weight: Annotated[int, typer.Option(help="Share among campaigns of one priority.")] = 1,
    expires: Annotated[str | None, typer.Option(help="Nothing is sent after this (2030-01-31T18:00+01:00).")] = None,
    rate: RateOption = None,
    start: StartOption = None,
    quiet_hours: QuietHoursOption = None,
    budget: BudgetOption = None,
    pause_on_failures: FailuresOption = None,
    pause_on_opt_outs: OptOutsOption = None,
    callback_url: Annotated[str | None, typer.Option(help="https://…, told of its events (signed).")] = None,
    rejects: Rejects = None,
    on_unknown: OnUnknownOption = "hold",
    idempotency_key: Annotated[str | None, typer.Option(help="The same key again is the same campaign.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Though the same was pushed within 24 h.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What it would be and cost; sends nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until all of it is submitted or over.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Sends a text to the recipients in FILE (- is stdin): all valid rows as one campaign, or nothing."""
    asked = _asked(dict(locals()))
    _push(file, asked, asks=not yes, waits=wait, as_json=as_json)


def _push(file: Path, asked: dict[str, Any], *, asks: bool, waits: bool, as_json: bool) -> None:
    from producer.cli import push, pushed
    from producer.push.request import PushRequest

    pushed.tell(push.Push(file, PushRequest(**asked), asks=asks, waits=waits).run(), as_json=as_json)


_AS_GIVEN = (
    *("profile", "text", "encoding", "smart_encoding", "sender", "fallback", "carrier_pool", "region", "subject"),
    *("mms_fallback", "media_check", "priority", "weight", "on_unknown", "idempotency_key", "again", "dry_run"),
    *("quiet_hours", "callback_url"),
)
_MOMENTS = ("expires", "send_at", "start")
_NUMBERS = ("rate", "budget", "pause_on_failures", "pause_on_opt_outs")


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """The options by name, as a push has them."""
    asked = {name: given[name] for name in _AS_GIVEN}
    asked |= {name: moment(option(name), given[name]) for name in _MOMENTS}
    asked |= {name: number(option(name), given[name]) for name in _NUMBERS}
    asked |= {"template": _template(given["template"]), "media": tuple(given["media"] or ())}
    return asked | {"rejects_path": given["rejects"] or _rejects_beside(given["file"])}


def _template(given: str | None) -> str | None:
    """A template as given, or read from @FILE, without the line end that editors put at its end."""
    if given is None or not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        return path.read_bytes().decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise UnusableInput(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UnusableInput(f"{path} is not UTF-8; byte {error.start}: save it as UTF-8") from None


def _rejects_beside(file: Path) -> Path:
    return (
        file.with_name(f"{'stdin' if str(file) == '-' else file.stem}.rejected.csv")
        if file.name
        else Path("rejected.csv")
    )
