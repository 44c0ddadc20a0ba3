"""`volley top`: the snapshot in a terminal, drawn anew every second. It reads and changes nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import DataTable, Footer, Static, TabbedContent, TabPane

from producer.cli.output import span
from producer.sight.facts import Facts, QueueFacts
from volley.errors import TryAgainLater

EVERY_S = 1.0
WIDE = 100
"""Columns from which on a table shows all it has; in a narrower terminal only what is needed."""
_TABS = ("queues", "campaigns", "workers", "senders", "carrier")
Row = tuple[str, ...]
Look = Callable[[], Awaitable[Facts]]


class Top(App[None]):
    """`look` gathers a snapshot. Colours are the terminal's own, so it is dark or light as that is."""

    TITLE = "volley top"
    ENABLE_COMMAND_PALETTE = False
    CSS = "#head { height: auto; padding: 0 1; } #notes { height: auto; max-height: 6; padding: 0 1; color: ansi_red; }"
    BINDINGS: ClassVar = [
        Binding("q,escape", "quit", "quit"),
        *(Binding(str(n), f"show('{name}')", name) for n, name in enumerate(_TABS, 1)),
        Binding("space", "hold", "hold still"),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(ansi_color=True)
        self._look = look
        self._still = False

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="notes")
        with TabbedContent(*_TABS):
            for name in _TABS:
                with TabPane(name, id=name):
                    yield DataTable(id=f"table-{name}", cursor_type="row", zebra_stripes=False)
        yield Footer()

    async def on_mount(self) -> None:
        await self.draw()
        self.set_interval(EVERY_S, self.draw)

    async def on_resize(self) -> None:
        await self.draw()

    def action_show(self, name: str) -> None:
        self.query_one(TabbedContent).active = name
        self.query_one(f"#table-{name}", DataTable).focus()

    def action_hold(self) -> None:
        """Stands still, or goes on."""
        self._still = not self._still

    async def draw(self) -> None:
        """Draws what a look finds; where Redis is away, that."""
        if self._still:
            return
        try:
            facts = await self._look()
        except TryAgainLater as error:
            self.query_one("#notes", Static).update(str(error))
            return
        self.query_one("#head", Static).update(head(facts))
        self.query_one("#notes", Static).update("\n".join(notes(facts)))
        for name in _TABS:
            columns, rows = tables(facts, self.size.width >= WIDE)[name]
            self._fill(self.query_one(f"#table-{name}", DataTable), columns, rows)

    def _fill(self, table: "DataTable[str]", columns: Row, rows: Sequence[Row]) -> None:
        row = table.cursor_row
        table.clear(columns=True)
        table.add_columns(*columns)
        table.add_rows(rows)
        table.move_cursor(row=row)


def head(facts: Facts) -> str:
    """Two lines: what waits and goes, and what is behind."""
    total, redis = facts.total, facts.redis
    memory = f"{redis.used_ratio:.0%}" if redis.max_bytes else f"{redis.used_bytes / 1e6:,.0f} MB"
    spend = " ".join(
        f"{each.per_minute_micros / 1e6:.2f} {each.currency}/min" for each in facts.spend if each.per_minute_micros
    )
    return (
        f"{facts.account}  ready {total.ready:,}  due {total.due:,}  in flight {total.in_flight:,}  unknown {total.unknown:,}"
        f"  {total.rate:g} of {total.allowed_rate:g}/s  done in {span(total.eta_seconds)}\n"
        f"{facts.at[11:19]} UTC  oldest {span(total.oldest_due_seconds)}  workers {len(facts.workers)}"
        f"  ledger {span(facts.ledger.lag_seconds)} behind  redis {memory}  {spend}"
    )


def notes(facts: Facts) -> list[str]:
    broken = [f"BROKEN {says}" for says in facts.conservation.broken]
    persistence = [facts.redis.aof_error] if facts.redis.aof_error else []
    return [*broken, *persistence, *facts.notes]


def tables(facts: Facts, wide: bool) -> dict[str, tuple[Row, list[Row]]]:
    """Columns and rows by tab."""
    return {
        "queues": _queues(facts, wide),
        "campaigns": _campaigns(facts, wide),
        "workers": _workers(facts, wide),
        "senders": _senders(facts, wide),
        "carrier": _carrier(facts),
    }


def _queues(facts: Facts, wide: bool) -> tuple[Row, list[Row]]:
    columns = ("profile", "ready", "rate", "done in")
    more = ("allowed", "waits for", "oldest", "in flight", "unknown", "dead") if wide else ()
    return (*columns, *more), [(*_queue(each), *(_more(each) if wide else ())) for each in facts.queues]


def _queue(each: QueueFacts) -> Row:
    return each.profile, f"{each.ready:,}", f"{each.rate:g}/s", span(each.eta_seconds)


def _more(each: QueueFacts) -> Row:
    held = {name: getattr(each.waits, name) for name in type(each.waits).__slots__}
    waits = " ".join(f"{name} {count:,}" for name, count in held.items() if count)
    oldest = span(each.oldest_due_seconds)
    return f"{each.allowed_rate:g}/s", waits, oldest, f"{each.in_flight:,}", f"{each.unknown:,}", f"{each.dead:,}"


def _campaigns(facts: Facts, wide: bool) -> tuple[Row, list[Row]]:
    columns = ("campaign", "state", "sent", "done in")
    more = ("of", "rate", "pinned", "cost", "profile") if wide else ()
    rows = []
    for each in facts.campaigns:
        sent = each.accepted - each.counts["ready"] - each.counts["sending"]
        row: Row = (each.campaign_id, each.state, f"{sent / max(each.accepted, 1):.0%}", span(each.eta_seconds))
        cost = f"{each.cost.amount} {each.cost.currency}"
        wider: Row = (f"{each.accepted:,}", f"{each.rate:g}/s", f"{each.waits.pinned:,}", cost, each.profile)
        rows.append((*row, *wider) if wide else row)
    return (*columns, *more), rows


def _workers(facts: Facts, wide: bool) -> tuple[Row, list[Row]]:
    columns = ("worker", "takes", "rate", "in flight")
    more = ("loop lag", "release", "seen") if wide else ()
    rows = []
    for each in facts.workers:
        row: Row = (each.id, "yes" if each.taking else each.why, f"{each.rate:g}/s", f"{each.in_flight:,}")
        wider: Row = (f"{each.loop_lag_seconds * 1000:.0f} ms", each.version, (each.seen or "")[11:19])
        rows.append((*row, *wider) if wide else row)
    for serve in facts.serves:
        named: Row = (f"serve {serve.id}", f"{serve.watching} watch", "-", "-")
        lag: Row = (f"{serve.loop_lag_seconds * 1000:.0f} ms", serve.version, (serve.seen or "")[11:19])
        rows.append((*named, *lag) if wide else named)
    return (*columns, *more), rows


def _senders(facts: Facts, wide: bool) -> tuple[Row, list[Row]]:
    columns = ("sender", "state", "used", "rate")
    more = ("type", "pins", "today", "until", "why") if wide else ()
    rows = []
    for each in facts.senders:
        used = "-" if each.used is None else f"{each.used:g}/s"
        row: Row = (each.number, each.state, used, f"{each.rate:g}/s")
        pins = "-" if each.pins is None else f"{each.pins:,}"
        wider: Row = (each.type, pins, f"{each.sent_today:,}", (each.until or "")[11:19], each.reason)
        rows.append((*row, *wider) if wide else row)
    return (*columns, *more), rows


def _carrier(facts: Facts) -> tuple[Row, list[Row]]:
    """Attempts, then what was taken and not delivered."""
    rows = [(each.outcome, each.code, f"{each.count:,}", each.meaning) for each in facts.outcomes]
    errors = [("undelivered", each.code, f"{each.count:,}", each.meaning) for each in facts.delivery_errors]
    ordered = sorted(zip(rows, facts.outcomes, strict=True), key=lambda pair: -pair[1].count)
    return ("outcome", "code", "how many", "meaning"), [*(row for row, _ in ordered), *errors]
