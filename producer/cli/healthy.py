"""`volley healthy`: whether the processes of this container or machine are alive. For health checks, so it imports little."""

from typing import Annotated

import typer

from producer.cli.output import emit, note, say


def register(app: typer.Typer) -> None:
    app.command("healthy")(healthy)


def healthy(
    role: Annotated[str, typer.Argument(metavar="[worker|serve]", help="Only these.")] = "",
    pid: Annotated[int, typer.Option(help="Only this process.")] = 0,
    ready: Annotated[
        bool, typer.Option("--ready", help="And whether it can work: a worker that has reached Redis.")
    ] = False,
    within: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds that an answer may take.")] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Asks each serve and worker here whether its loop turns. Code 1: one does not answer in time, or there is none."""
    from volley.pulse import ask

    found = ask(within, role=role, pid=pid)
    well = [beat for beat in found if beat.says is not None and (not ready or beat.says.get("ready") is True)]
    if as_json:
        emit({"processes": [{"role": beat.role, "pid": beat.pid, **(beat.says or {"ready": False})} for beat in found]})
    else:
        for beat in found:
            told = "does not answer" if beat.says is None else beat.says.get("status") or "alive"
            say(f"{beat.role} {beat.pid}: {told}")
    if not found:
        note("volley: no serve or worker runs here")
    if not found or len(well) < len(found):
        raise typer.Exit(1)
