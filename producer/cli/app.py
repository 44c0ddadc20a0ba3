"""The command line: every command's name, and how errors become exit codes. Commands import what is heavy when they run."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from producer.cli import (
    actions,
    audit,
    callbacks,
    campaigns,
    config,
    db,
    doctor,
    halt,
    healthy,
    inbound,
    keys,
    numbers,
    optouts,
    parts,
    processes,
    profiles,
    rebuild,
    reconcile,
    records,
    send,
    status,
    top,
    why,
)
from producer.cli.output import note, say
from volley import __version__
from volley.errors import VolleyError

RunWorker = Callable[[], int]
"""What `volley worker` does; handed in, as this room never imports the other one."""


def build(run_worker: RunWorker) -> typer.Typer:
    """The whole command tree."""
    app = typer.Typer(
        name="volley",
        help="Bulk text messages through Telnyx: never twice, never lost, never too fast, each priced and recorded.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for room in (
        send,
        campaigns,
        status,
        actions,
        callbacks,
        audit,
        records,
        reconcile,
        rebuild,
        parts,
        profiles,
        numbers,
        optouts,
        inbound,
        keys,
        config,
        db,
        doctor,
        halt,
        healthy,
        processes,
        top,
        why,
    ):
        room.register(app)
    app.command("worker")(_worker(run_worker))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        say(f"volley {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Says which one.")
    ] = False,
) -> None:
    """What may stand before a command."""


def _worker(run_worker: RunWorker) -> Callable[[], None]:
    def worker() -> None:
        """One worker: takes, chooses senders, sends, records. Run as many as you like, on as many machines."""
        raise typer.Exit(run_worker())

    return worker


def run(app: typer.Typer) -> None:
    """Runs a command line. An error of ours is one line on stderr and its exit code, never a traceback."""
    try:
        sys.exit(app(prog_name="volley", standalone_mode=False))
    except VolleyError as error:
        note(f"volley: {_line(str(error))}")
        sys.exit(error.exit_code)
    except typer.TyperException as error:
        _usage(error)
        sys.exit(error.exit_code)
    except typer.Abort:
        note("volley: stopped")
        sys.exit(1)


def _usage(error: typer.TyperException) -> None:
    message = error.format_message()
    if message.startswith("Usage:"):  # a group without a command: its help is the whole answer
        note(message)
    else:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "volley"
        note(f"volley: {_line(message).rstrip('.')} (see {command} --help)")


def _line(text: str) -> str:
    return " ".join(text.split())
