"""`volley send`: a file of recipients becomes a campaign. Asks before it costs anything, unless told --yes."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli.output import emit, facts, note, span, table
from volley.errors import UnusableInput

PARTLY = 3
"""Exit code: some rows were rejected, the others go."""


def register(app: typer.Typer) -> None:
    app.command("send")(send)


def send(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE|-", help="CSV with a header and a column `to`, or JSON lines.", allow_dash=True),
    ],
    profile: Annotated[str, typer.Option(metavar="ID", help="Messaging profile whose pool sends.")],
    text: Annotated[str | None, typer.Option(help="The text, sent as it is.")] = None,
    template: Annotated[str | None, typer.Option(help="Text with {name} or {name|default}; @FILE reads it.")] = None,
    sender: Annotated[str | None, typer.Option("--from", help="This sender, not the pool.")] = None,
    region: Annotated[str | None, typer.Option(help="Reads national numbers, as in US.")] = None,
    priority: Annotated[str, typer.Option(help="bulk or urgent.")] = "bulk",
    encoding: Annotated[str, typer.Option(help="auto, gsm7 or ucs2.")] = "auto",
    smart_encoding: Annotated[
        bool, typer.Option("--smart-encoding", help="The profile has smart encoding on.")
    ] = False,
    weight: Annotated[int, typer.Option(help="Share among campaigns of one priority.")] = 1,
    expires: Annotated[str | None, typer.Option(help="Nothing is sent after this (2030-01-31T18:00:00+01:00).")] = None,
    rejects: Annotated[Path | None, typer.Option(help="Where rejected rows go [FILE.rejected.csv].")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key again is the same campaign.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Once more, though the same was pushed within 24 h.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="What it would be and cost; sends nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until all of it is submitted or over.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Sends a text to the recipients in FILE (- is stdin): all valid rows as one campaign, or nothing."""
    from producer.cli.push import Push
    from producer.request import PushRequest

    request = PushRequest(
        profile=profile,
        text=text,
        template=_template(template),
        sender=sender,
        region=region,
        priority=priority,  # type: ignore[arg-type]  # PushRequest refuses what is none
        encoding=encoding,  # type: ignore[arg-type]
        smart_encoding=smart_encoding,
        idempotency_key=idempotency_key,
        again=again,
        dry_run=dry_run,
        expires=_moment(expires),
        weight=weight,
        rejects_path=rejects or _rejects_beside(file),
    )
    result = Push(file, request, asks=not yes, waits=wait).run()
    if as_json:
        emit(result.as_json())
    else:
        _print(result.as_json(), result.existing)
    for example in result.examples:
        note(f"row {example.row}: {example.reason}")
    if result.rejects_path is not None:
        note(f"{result.rejected} rejected rows are in {result.rejects_path}")
    if result.rejected:
        raise typer.Exit(PARTLY if result.accepted else 1)


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


def _moment(given: str | None) -> datetime | None:
    try:
        return None if given is None else datetime.fromisoformat(given)
    except ValueError:
        raise UnusableInput(f"--expires {given!r} is no moment: write 2030-01-31T18:00:00+01:00") from None


def _rejects_beside(file: Path) -> Path:
    return Path("stdin.rejected.csv") if str(file) == "-" else file.with_suffix(".rejected.csv")


def _print(document: dict[str, Any], existing: bool) -> None:
    cost = document["estimated_cost"]
    forecast = document.get("forecast")
    what = "a dry run: nothing was sent" if forecast else document["campaign_id"] or "no campaign: no row was left"
    facts(
        [
            ("campaign", f"{what} (pushed before; nothing new)" if existing else what),
            *(
                (name.replace("_", " "), document[name])
                for name in ("accepted", "rejected", "duplicates", "opted_out", "parts")
            ),
            ("estimated cost", f"{cost['amount']} {cost['currency']}"),
        ]
    )
    if forecast:
        _print_forecast(forecast)


def _print_forecast(forecast: dict[str, Any]) -> None:
    facts(
        [
            ("rate", f"{forecast['parts_per_second']} parts/s"),
            ("time to send", span(forecast["seconds"])),
            *forecast["encodings"].items(),
            *((f"count depends on {name}", rows) for name, rows in forecast["depends_on"].items() if rows),
        ],
        title="forecast",
    )
    table(("parts", "messages"), forecast["parts_histogram"].items(), title="messages by parts")
    if forecast["unicode"]:
        rows = [(each["character"], each["code"], each["name"], each["rows"]) for each in forecast["unicode"]]
        table(("character", "code", "name", "messages"), rows, title="characters that force Unicode")
