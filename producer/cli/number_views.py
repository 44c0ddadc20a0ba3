"""`volley numbers list | show`: our pool, and what the carrier has."""

import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
import typer

from producer.cli.output import emit, facts, flat, note, say, table
from volley.errors import UnusableInput
from volley.sender import SenderType, sender_type

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

_LINE = "{:<16} {:<12} {:<7} {:<36} {}"


def list_(
    profile: Annotated[str, typer.Option("--profile", help="Only this profile's.")] = "",
    kind: Annotated[str, typer.Option("--type", help="long_code, toll_free, short_code or alphanumeric.")] = "",
    contains: Annotated[str, typer.Option("--contains", help="Only those with this in them.")] = "",
    carrier: Annotated[bool, typer.Option("--carrier", help="What the carrier has, instead of our pool.")] = False,
    unassigned: Annotated[bool, typer.Option("--unassigned", help="At the carrier, those in no profile.")] = False,
    lines: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    as_json: Json = False,
) -> None:
    """Type, country, rate, state, pins and what was sent today, of each number of our pool; or what the carrier has."""
    from producer.pool.carrier_numbers import Filter

    if profile and unassigned:
        raise UnusableInput("--profile and --unassigned: one of them")
    wanted = Filter(profile, unassigned, _kind(kind), contains)
    if carrier or unassigned:
        _of_carrier(wanted, as_json=as_json, lines=lines)
    else:
        _of_pool(wanted, as_json=as_json, lines=lines)


def _kind(spelling: str) -> SenderType | None:
    try:
        found = sender_type(spelling) if spelling else None
    except KeyError:
        raise UnusableInput(f"--type {spelling[:20]!r}: long_code, toll_free, short_code or alphanumeric") from None
    return found


def _of_pool(wanted: Any, *, as_json: bool, lines: bool) -> None:
    from producer.cli.desk import at_desk
    from producer.sight.documents import sender

    views = at_desk(lambda desk: desk.outbox.senders(wanted.profile or None, count_pins=True))
    documents = [
        document
        for document in (sender(view) for view in views if view.sender.type != "carrier_pool")
        if wanted.kind in (None, document["type"]) and wanted.contains in document["number"]
    ]
    if lines:
        for document in documents:
            emit(document)
    elif as_json:
        emit({"numbers": documents})
    else:
        columns = ("number", "type", "country", "rate", "state", "pins", "sent today", "profile", "reason")
        table(columns, [[document[name.replace(" ", "_")] for name in columns] for document in documents])


def _of_carrier(wanted: Any, *, as_json: bool, lines: bool) -> None:
    from producer.cli.at_carrier import Counter, at_carrier
    from producer.pool.carrier_numbers import listed

    async def work(counter: Counter) -> None:
        rows = listed(counter.api, wanted)
        if lines:
            async for row in rows:
                emit(row)
        elif as_json:
            await _stream(rows)
        else:
            await _print(rows)

    at_carrier(work)


async def _stream(rows: AsyncIterator[dict[str, Any]]) -> None:
    """One object, written as the pages come, so that a large account needs no more memory than a small one."""
    write, between = sys.stdout.buffer.write, b'{"numbers":['
    async for row in rows:
        write(between + orjson.dumps(row))
        between = b","
    write((b"" if between == b"," else between) + b"]}\n")
    sys.stdout.buffer.flush()


async def _print(rows: AsyncIterator[dict[str, Any]]) -> None:
    count = 0
    say(_LINE.format("number", "type", "country", "profile", "health"))
    async for row in rows:
        count += 1
        say(
            _LINE.format(
                row["number"], row["type"], row.get("country_code") or "", _profile(row), _health(row)
            ).rstrip()
        )
    note(f"{count} at the carrier")


def _profile(row: dict[str, Any]) -> str:
    return row["messaging_profile_id"] or "-"


def _health(row: dict[str, Any]) -> str:
    health = row.get("health")
    if not health:
        return ""
    return f"{health['success_ratio']:.0%} delivered, {health['spam_ratio']:.0%} spam of {health['message_count']}"


def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="A number, code or ID, or the carrier's id of one.")],
    as_json: Json = False,
) -> None:
    """One sender: every field of the carrier, and how it stands in our pool."""
    from producer.cli.at_carrier import Counter, at_carrier
    from producer.pool.carrier_numbers import one

    async def work(counter: Counter) -> dict[str, Any]:
        return await one(counter.api, counter.outbox, number)

    found = at_carrier(work, with_pool=True)
    if as_json:
        emit(found)
        return
    for document in _each(found["carrier"]):
        facts(flat(document))
    if found["pool"] is None:
        note("it is in no pool of ours: volley numbers sync --profile ID brings a profile's numbers into one")
        return
    for document in _each(found["pool"]):
        facts(((name, "-" if value is None else value) for name, value in document.items()), title="our pool")


def _each(found: Any) -> list[dict[str, Any]]:
    return found if isinstance(found, list) else [found]
