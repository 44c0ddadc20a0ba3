"""The commands that run until they are stopped: up, serve, sandbox; and demo, which ends by itself."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from producer.cli.output import note


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("serve")(serve)
    app.command("sandbox")(sandbox)
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
    from volley.settings import load

    uvloop.run(run(load()))


def sandbox() -> None:
    """x"""


def demo() -> None:
    """x"""
