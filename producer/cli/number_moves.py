"""`volley numbers assign | unassign | order`: senders into a profile, out of one, and what became of an order."""

from pathlib import Path
from typing import Annotated

import typer

Words = Annotated[
    list[str] | None, typer.Argument(metavar="[NUMBER]...", help="+E.164, short codes, alphanumeric IDs.")
]
File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE|-", help="More of them, one a line.", allow_dash=True)
]
NoSync = Annotated[bool, typer.Option("--no-sync", help="Only at the carrier; our pool stays as it is.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="What would be done; changes nothing.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def assign(
    profile: Annotated[str, typer.Option("--profile", help="The messaging profile they are to be in.")],
    words: Words = None,
    file: File = None,
    us_fallback: Annotated[
        str, typer.Option("--us-fallback", help="For an alphanumeric ID: the long code that sends to the US for it.")
    ] = "",
    dry_run: DryRun = False,
    no_sync: NoSync = False,
    as_json: Json = False,
) -> None:
    """Assigns senders to a profile, at the carrier and in our pool. Exit code: 3 some could not be, 1 none could."""
    from producer.cli.moved import answer, done
    from producer.pool.named import read

    names = read(words or [], file)
    found = done(
        lambda assigner: assigner.assign(names, profile, fallback=us_fallback, dry_run=dry_run),
        with_pool=not (no_sync or dry_run),
    )
    answer(found, names.repeated, as_json=as_json)


def unassign(
    words: Words = None,
    file: File = None,
    profile: Annotated[str, typer.Option("--profile", help="Only if they are in this profile.")] = "",
    dry_run: DryRun = False,
    no_sync: NoSync = False,
    as_json: Json = False,
) -> None:
    """Takes senders out of their profile: first out of our pool, where nothing new is granted to them, then at the carrier.

    What waits for them leaves from others. An alphanumeric ID is deleted. Exit code: 3 some could not be, 1 none could.
    """
    from producer.cli.moved import answer, done
    from producer.pool.named import read

    names = read(words or [], file)
    found = done(
        lambda assigner: assigner.unassign(names, source=profile, dry_run=dry_run),
        with_pool=not (no_sync or dry_run),
    )
    answer(found, names.repeated, as_json=as_json)


def order(
    order_id: Annotated[str, typer.Argument(metavar="ID", help="As volley numbers assign printed it.")],
    wait: Annotated[bool, typer.Option("--wait", help="Until nothing of it is pending, ten minutes at most.")] = False,
    as_json: Json = False,
) -> None:
    """What became of the numbers of an order for many. Exit code 3: some failed or are pending."""
    from producer.cli.moved import tell_order

    if not tell_order(order_id, wait=wait, as_json=as_json):
        raise typer.Exit(3)
