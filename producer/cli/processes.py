"""The commands that run until they are stopped: up, serve, sandbox; and demo, which ends by itself."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from producer.cli.output import note


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("serve")(serve)
    # the sandbox reads its own options
    free = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command("sandbox", context_settings=free)(sandbox)
    app.command("demo")(demo)


def up() -> None:
    """Everything on this machine: a Valkey of our own if VOLLEY_REDIS_URL is not set, serve, one worker. Ctrl-C stops it."""
    from producer.up import up as run
    from volley.settings import load

    asyncio.run(run(load(), note))


def serve() -> None:
    """Webhook receiver, health, and the recorder that writes the ledger."""
    import uvloop

    from producer.web.server import serve as run
    from volley.logs import start_logging
    from volley.settings import load

    settings = load()
    start_logging("serve", settings)
    uvloop.run(run(settings))


def sandbox(context: typer.Context) -> None:
    """A local Telnyx that can fail on command (volley sandbox --help)."""
    from volley.sandbox.main import run

    raise typer.Exit(run(context.args))


def demo(
    rows: Annotated[int | None, typer.Option(min=1, help="Only so many rows of the list, for a short one.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Goes on at the end, with its dashboard, until Ctrl-C.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Keeps ledger, logs and settings in this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """A campaign from file to report, against a local carrier: Valkey, sandbox, serve and a worker, each a process."""
    from producer.demo.story import run

    raise typer.Exit(run(rows=rows, keep=keep, folder=folder, as_json=as_json))
