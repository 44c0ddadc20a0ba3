"""`volley send`: a file of recipients becomes a campaign. Asks before it costs anything, unless told --yes."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

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
    from producer.cli import push, pushed
    from producer.push.request import PushRequest

    who: dict[str, Any] = {"sender": sender, "fallback": fallback, "carrier_pool": carrier_pool, "region": region}
    what = {"text": text, "template": _template(template), "encoding": encoding, "smart_encoding": smart_encoding}
    mms = {"media": tuple(media or ()), "subject": subject, "mms_fallback": mms_fallback, "media_check": media_check}
    when = {"expires": _moment("--expires", expires), "send_at": _moment("--send-at", send_at), "dry_run": dry_run}
    how = {"priority": priority, "weight": weight, "on_unknown": on_unknown}
    once = {"idempotency_key": idempotency_key, "again": again, "rejects_path": rejects or _rejects_beside(file)}
    request = PushRequest(profile, **(who | what | mms | when | how | once))
    pushed.tell(push.Push(file, request, asks=not yes, waits=wait).run(), as_json=as_json)


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


def _moment(option: str, given: str | None) -> datetime | None:
    try:
        return None if given is None else datetime.fromisoformat(given)
    except ValueError:
        raise UnusableInput(f"{option} {given!r} is no moment: write 2030-01-31T18:00:00+01:00") from None


def _rejects_beside(file: Path) -> Path:
    return (
        file.with_name(f"{'stdin' if str(file) == '-' else file.stem}.rejected.csv")
        if file.name
        else Path("rejected.csv")
    )
