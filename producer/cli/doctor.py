"""`volley doctor`: is everything as it must be, and if not, what to do."""

import asyncio
import sys
from typing import Annotated

import typer

from producer.cli.output import emit, say
from producer.doctor.verdict import Verdict
from volley.errors import UnusableInput

FAILED = 1
_WIDTH = 24


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    probe: Annotated[
        bool,
        typer.Option("--probe-idempotency", help="Sends one or two messages to --to, and tells what was honoured."),
    ] = False,
    sender: Annotated[str | None, typer.Option("--from", help="A sender of our pool, for the probe.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="A number of your own, for the probe.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="No question before the probe.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Looks at settings, carrier, webhooks, Redis, ledger and workers, a line a check. Exit code 1: something failed."""
    from producer.cli.advice import find

    if probe:
        _agree(sender, to, yes)
    problems, _ = find()
    found = asyncio.run(_examine(problems, (sender or "", to or "") if probe else None, aloud=not as_json))
    good = all(verdict.state != "failed" for verdict in found)
    if as_json:
        emit({"ok": good, "checks": [verdict.as_json() for verdict in found]})
    else:
        say(_summary({verdict.state for verdict in found}))
    if not good:
        raise typer.Exit(FAILED)


def _summary(states: set[str]) -> str:
    if "failed" in states:
        return "something failed: what to do stands behind the arrow"
    return (
        "nothing failed; what to do about the warnings stands behind the arrow"
        if "warning" in states
        else "all is well"
    )


def _agree(sender: str | None, to: str | None, yes: bool) -> None:
    if not sender or not to:
        raise UnusableInput("--probe-idempotency needs --from, a sender of the pool, and --to, a number of your own")
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UnusableInput("the probe sends one or two messages: say --yes where nobody can be asked")
    typer.confirm(f"this sends one or two messages from {sender} to {to}; go on?", abort=True, err=True)


async def _examine(problems: list[str], probed: tuple[str, str] | None, *, aloud: bool) -> list[Verdict]:
    from producer.cli.desk import Desk, seated
    from producer.doctor import values
    from producer.doctor.probe import probe
    from producer.doctor.rounds import rounds
    from volley.settings import load

    found: list[Verdict] = []

    def tell(verdict: Verdict) -> None:
        found.append(verdict)
        if aloud:
            show(verdict)

    if problems:
        for verdict in values.unusable(problems):
            tell(verdict)
        return found
    settings = load()
    async for verdict in rounds(settings):
        tell(verdict)
    if probed:
        sender, to = probed

        async def ask(desk: Desk) -> Verdict:
            await desk.outbox.record_action("probe_idempotency", sender=sender)
            return await probe(settings, desk.outbox, sender, to)

        tell(await seated(settings, ask))
    return found


def show(verdict: Verdict) -> None:
    """`failed  Redis eviction  … → what to do`."""
    todo = f" → {verdict.todo}" if verdict.todo and verdict.state != "ok" else ""
    say(f"{verdict.state:<8} {verdict.check:<{_WIDTH}} {verdict.found}{todo}")
