"""What a push came to, told to people or programs."""

from typing import Any

import typer

from producer.cli.output import emit, facts, note, span, table
from producer.push.request import PushResult

PARTLY = 3
"""Exit code: some rows were rejected, the others go."""


def tell(result: PushResult, *, as_json: bool) -> None:
    """The answer to stdout, what is beside it to stderr; raises typer.Exit where rows were rejected."""
    if as_json:
        emit(result.as_json())
    else:
        _print(result.as_json(), result.existing)
    for each in result.notes:
        note(each)
    for example in result.examples:
        note(f"row {example.row}: {example.reason}")
    if result.rejects_path is not None:
        note(f"{result.rejected} rejected rows are in {result.rejects_path}")
    elif result.rejected > len(result.examples):
        note(
            f"and {result.rejected - len(result.examples)} more rejected rows; the push itself writes all of them to a file"
        )
    if result.rejected:
        raise typer.Exit(PARTLY if result.accepted else 1)


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
            *(
                (name, rows)
                for name, rows in (*forecast["encodings"].items(), ("MMS", forecast["messages"]["MMS"]))
                if rows
            ),
            *(("by " + (" or ".join(route["types"]) or "nobody"), route["messages"]) for route in forecast["routes"]),
            *([("by the fallback number", forecast["fallback"])] if forecast["fallback"] else []),
            *((f"count depends on {name}", rows) for name, rows in forecast["depends_on"].items() if rows),
        ],
        title="forecast",
    )
    table(("parts", "messages"), forecast["parts_histogram"].items(), title="messages by parts")
    if forecast["unicode"]:
        rows = [(each["character"], each["code"], each["name"], each["rows"]) for each in forecast["unicode"]]
        table(("character", "code", "name", "messages"), rows, title="characters that force Unicode")
