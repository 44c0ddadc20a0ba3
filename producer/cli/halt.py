"""`volley stop --all` and `volley resume --all`: all sending of the account, at once."""

import sys
from typing import Annotated

import typer

from producer.cli.output import emit, note, say
from volley.errors import UnusableInput

_All = Annotated[bool, typer.Option("--all", help="Every campaign of the account, every worker.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def register(app: typer.Typer) -> None:
    app.command("stop")(stop)
    app.command("resume")(resume)


def stop(
    everything: _All = False,
    why: Annotated[str, typer.Option(help="Shown wherever somebody asks why nothing is sent.")] = "",
    as_json: _Json = False,
) -> None:
    """Stops all sending of the account now. Asks nothing; it holds through restarts until volley resume --all.

    Nothing is granted any more once this returns. What had been granted (see `in flight`) goes out within a second or not at all. Pushes
    are accepted and wait. What the carrier keeps until its time (--send-at) is not stopped: cancel those campaigns.
    """
    from producer.cli.desk import at_desk
    from volley.outbox import halt

    _only_all(everything, "stop", "a single campaign is paused by volley campaigns pause ID")
    done = at_desk(lambda desk: halt.stop(desk.outbox, " ".join(why.split())))
    if as_json:
        emit({"stopped": True, "changed": done.changed, "in_flight": done.in_flight})
        return
    say("all sending is stopped" if done.changed else "all sending was stopped already")
    if done.in_flight:
        note(f"{done.in_flight} messages are in flight and will still be sent or settled")


def resume(
    everything: _All = False,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: _Json = False,
) -> None:
    """Lets go on what volley stop --all stopped. What was paused stays paused."""
    from producer.cli.desk import Desk, at_desk
    from volley.outbox import halt
    from volley.outbox.standing import waiting

    _only_all(everything, "resume", "a single campaign goes on by volley campaigns resume ID")

    async def ask(desk: Desk) -> tuple[str, int]:
        return await halt.stopped(desk.outbox), await waiting(desk.outbox)

    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UnusableInput("nobody is here to be asked: add --yes (and look first: volley status)")
        reason, ready = at_desk(ask)
        note(f"{reason or 'nothing is stopped'}; {ready} messages are ready and may go")
        if not typer.confirm("go on?", default=False, err=True):
            raise typer.Exit(1)
    done = at_desk(lambda desk: halt.go_on(desk.outbox))
    if as_json:
        emit({"stopped": False, "changed": done.changed, "in_flight": done.in_flight})
    else:
        say("sending goes on" if done.changed else "nothing was stopped")


def _only_all(everything: bool, verb: str, instead: str) -> None:
    if not everything:
        raise UnusableInput(f"volley {verb} is about the whole account: say volley {verb} --all ({instead})")
