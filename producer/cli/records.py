"""What the ledger tells: `volley export`, `volley message`, `volley cost`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from producer.cli.output import emit, facts, note, say, table
from producer.sight.documents import moment
from volley.errors import UnusableInput

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

FORMATS = ("jsonl", "csv", "parquet")
GROUPS = ("campaign", "day", "sender", "country")


def register(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("message")(message)
    app.command("cost")(cost)


def export(
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="A campaign's id.")],
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or parquet.")] = "jsonl",
    output: Annotated[Path | None, typer.Option(help="A file, not stdout; appears when it is complete.")] = None,
) -> None:
    """A line a message of a campaign: recipient, sender, status, parts, cost, attempts, error."""
    from producer.sight.exports import export as run

    if form not in FORMATS:
        raise UnusableInput(f"--format {form}: use one of {', '.join(FORMATS)}")
    count = run(campaign_id, form, output)
    if output is not None:
        note(f"{count} messages are in {output}")


def message(
    message_id: Annotated[str, typer.Argument(metavar="ID", help="A message's id, as volley export prints it.")],
    as_json: Json = False,
) -> None:
    """The whole story of one message: what it waits for, text, sender and why, attempts, receipts, price."""
    from producer.sight.exports import story

    document = story(message_id)
    if as_json:
        emit(document)
    else:
        tell(document)


def tell(story: dict[str, Any]) -> None:
    """A message's story for people: its facts, what it waits for, and what happened to it."""
    history, waits = story["history"], story["waits"]
    plain = {name: value for name, value in story.items() if name not in ("history", "waits")}
    facts((name.removesuffix("_us"), _plain(name, value)) for name, value in plain.items() if value is not None)
    if waits:
        facts(waits.items(), title="waits")
    table(
        ("at", "what", "how"),
        [(moment(each.pop("at_us")), each.pop("event"), _how(each)) for each in history],
        title="history",
    )


def _how(event: dict[str, Any]) -> str:
    return " · ".join(
        f"{name.removesuffix('_us')} {_plain(name, value)}" for name, value in event.items() if value is not None
    )


def _plain(name: str, value: Any) -> object:
    return moment(value) if name.endswith("_us") else value


def cost(
    by: Annotated[str, typer.Option(help="campaign, day, sender or country.")] = "campaign",
    since: Annotated[str | None, typer.Option(help="From this day or moment on (2030-01-31).")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this day or moment, not included.")] = None,
    as_json: Json = False,
) -> None:
    """What the carrier took, in groups, by currency; estimates beside."""
    from producer.sight.exports import costs

    if by not in GROUPS:
        raise UnusableInput(f"--by {by}: use one of {', '.join(GROUPS)}")
    document = costs(by, moment_us("--since", since), moment_us("--until", until))
    if as_json:
        emit(document)
    elif document["rows"]:
        names = (by, "messages", "parts", "estimated", "cost", "currency", "unpriced")
        table(names, [[row[name] for name in names] for row in document["rows"]])
        totals = [(each["currency"], f"{each['cost']} (estimated {each['estimated']})") for each in document["totals"]]
        facts(totals, title="total")
    else:
        say("the carrier has taken nothing yet")


def moment_us(option: str, given: str | None) -> int | None:
    """Microseconds since 1970 of an ISO date or moment; UTC unless it says otherwise."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UnusableInput(f"{option} {given!r} is no day: write 2030-01-31") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
