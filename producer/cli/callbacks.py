"""`volley callbacks`: who is called back about events, and what could not be delivered."""

from typing import Annotated

import typer

from producer.cli.output import emit, note, say, table
from volley.errors import TryAgainLater, UnusableInput
from volley.outbox.actions import at_the_command_line
from volley.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CallbackId = Annotated[str, typer.Argument(metavar="ID", help="As volley callbacks list shows it.")]

_COLUMNS = ("callback_id", "campaign_id", "url", "types", "delivered", "last_delivered", "waiting", "dead", "disabled")


def register(app: typer.Typer) -> None:
    callbacks = typer.Typer(help="Who is called back about events.", no_args_is_help=True)
    for command, name in (
        (add, "add"),
        (list_, "list"),
        (remove, "remove"),
        (enable, "enable"),
        (test, "test"),
        (secret, "secret"),
        (deliveries, "deliveries"),
        (redeliver, "redeliver"),
    ):
        callbacks.command(name)(command)
    app.add_typer(callbacks, name="callbacks")


def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="https://…, on the internet.")],
    types: Annotated[str, typer.Option(help="With commas between: message.*,inbound.received; all unless given.")] = "",
    as_json: Json = False,
) -> None:
    """Events from now on go to this URL, signed by Standard Webhooks. Prints the signing secret."""
    from producer.callbacks.addresses import check_callback
    from producer.callbacks.secret import secrets
    from producer.cli.book import Book, at_book

    async def work(settings: Settings, book: Book) -> tuple[str, str]:
        check_callback(url, settings)
        made = await book.add(url, [each.strip() for each in types.split(",") if each.strip()], at_the_command_line())
        return made, secrets(settings, made)[0]

    made, key = at_book(work)
    if as_json:
        emit({"callback_id": made, "secret": key})
    else:
        say(f"callback {made}")
        say(f"secret   {key}")


def list_(as_json: Json = False) -> None:
    """All of them: how many events each took, what waits, what is dead, and why it is off if it is."""
    from producer.cli.book import at_book

    found = at_book(lambda _, book: book.listed())
    if as_json:
        emit({"callbacks": found})
        return
    rows = [each | {"types": ",".join(each["types"])} for each in found]
    table([name.replace("_", " ") for name in _COLUMNS], [[row[name] for name in _COLUMNS] for row in rows])


def remove(callback_id: CallbackId) -> None:
    """Calls it no more, and drops what waits for it."""
    from producer.cli.book import at_book

    at_book(lambda _, book: book.remove(callback_id, at_the_command_line()))
    say(f"callback {callback_id} is removed")


def enable(callback_id: CallbackId) -> None:
    """Switches one on again that was disabled; it goes on where it was."""
    from producer.cli.book import at_book

    at_book(lambda _, book: book.enable(callback_id, at_the_command_line()))
    say(f"callback {callback_id} is on")


def test(callback_id: CallbackId) -> None:
    """Makes one signed call without events, at once."""
    from producer.callbacks.messenger import try_out
    from producer.callbacks.secret import OF_CAMPAIGNS
    from producer.cli.book import Book, at_book

    async def work(settings: Settings, book: Book) -> None:
        row = await book.one(callback_id)
        answered = await try_out(settings, OF_CAMPAIGNS if row.campaign_id else row.id, row.url)
        if not answered.taken:
            raise TryAgainLater(f"the call was not taken: {answered.error}")
        say(f"answered {answered.status}")

    at_book(work)


def secret(
    callback_id: Annotated[
        str, typer.Argument(metavar="ID|campaigns", help="`campaigns`: of all callback URLs of campaigns.")
    ],
) -> None:
    """The signing secret; made of VOLLEY_SECRET, and it changes with that."""
    from producer.callbacks.secret import OF_CAMPAIGNS, secrets
    from producer.cli.book import Book, at_book

    async def work(settings: Settings, book: Book) -> str:
        if callback_id != OF_CAMPAIGNS:
            await book.one(callback_id)
        key = secrets(settings, callback_id)[0]
        await book.note(at_the_command_line(), "callback_secret_shown", callback=callback_id)
        return key

    say(at_book(work))


def deliveries(callback_id: CallbackId, as_json: Json = False) -> None:
    """What waits for another try, and what is dead."""
    from producer.cli.book import at_book

    found = at_book(lambda _, book: book.open_deliveries(callback_id))
    if as_json:
        emit({"deliveries": found})
        return
    columns = ("delivery_id", "state", "events", "made", "next", "attempts", "http_status", "error")
    table(columns, [[each[name] for name in columns] for each in found])


def redeliver(
    callback_id: CallbackId,
    delivery_id: Annotated[str | None, typer.Argument(metavar="DELIVERY", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Tries dead deliveries of a callback again, for another 24 hours."""
    from producer.cli.book import at_book

    count = at_book(lambda _, book: book.redeliver(callback_id, delivery_id, at_the_command_line()))
    if not count and delivery_id is not None:
        raise UnusableInput(f"no dead delivery {delivery_id[:40]!r}: see volley callbacks deliveries {callback_id}")
    if as_json:
        emit({"callback_id": callback_id, "redelivered": count})
    else:
        note(f"{count} deliveries are tried again")
