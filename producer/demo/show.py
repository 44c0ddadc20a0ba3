"""The demo while it runs: a bar on a terminal, a plain line every few seconds elsewhere. All of it on stderr."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

from producer.cli.output import note, span
from producer.cli.push import describe
from producer.sight import documents
from volley.outbox.views import CampaignView, ProfileView

_EVERY_S = 5.0


class Show(Protocol):
    """What is told of a campaign again and again."""

    def update(self, view: CampaignView, profile: ProfileView) -> None: ...


@contextlib.contextmanager
def show(title: str) -> Iterator[Show]:
    if not sys.stderr.isatty():
        yield Lines(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=None, told="")

        class Bar:
            def update(self, view: CampaignView, profile: ProfileView) -> None:
                progress.update(task, total=view.campaign.accepted, completed=sent(view), told=told(view, profile))

        yield Bar()


class Lines:
    """For logs: not more than a line in five seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last_s = 0.0

    def update(self, view: CampaignView, profile: ProfileView) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s >= _EVERY_S or not (view.waiting or view.in_flight):
            self._last_s = now_s
            note(f"{self._title}: {describe(view, profile)}")


def sent(view: CampaignView) -> int:
    """Messages that are out of our hands."""
    return view.campaign.accepted - view.waiting - view.in_flight


def told(view: CampaignView, profile: ProfileView) -> str:
    """Rate, ETA, cost so far."""
    document = documents.campaign(view, profile)
    cost = f"{document['cost']['amount']} {document['cost']['currency']}"
    return f"{document['rate']:.0f} parts/s · ETA {span(document['eta_seconds'])} · {cost}"
