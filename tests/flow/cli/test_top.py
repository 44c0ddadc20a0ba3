"""`volley top` in a terminal, played by textual's pilot on a real Valkey; and `--once`."""

import redis.asyncio
from textual.widgets import DataTable, Static, TabbedContent

from producer.sight.facts import Facts
from producer.sight.screen import Top
from producer.sight.sight import Sight
from tests.flow.cli.conftest import World
from tests.redis.conftest import PROFILE, Rig, chunk_of, people
from volley.embedded import EmbeddedValkey
from volley.errors import TryAgainLater
from volley.outbox.outbox import Outbox


class Watched:
    """A rig, and the terminal that shows it."""

    def __init__(self, db: redis.asyncio.Redis) -> None:
        self.rig = Rig(Outbox(db, "test"))
        self.sight = Sight(self.rig.outbox, "test")
        self.away = False
        self.top = Top(self.look)

    async def look(self) -> Facts:
        if self.away:
            raise TryAgainLater("Redis is away")
        return await self.sight.facts(0)

    def text(self, name: str) -> str:
        return str(self.top.query_one(f"#{name}", Static).render())

    def rows(self, name: str) -> list[list[str]]:
        table = self.top.query_one(f"#table-{name}", DataTable)
        return [[str(cell) for cell in table.get_row_at(n)] for n in range(table.row_count)]

    def columns(self, name: str) -> list[str]:
        return [str(column.label) for column in self.top.query_one(f"#table-{name}", DataTable).columns.values()]


async def test_it_shows_what_there_is_and_what_becomes_of_it(db: redis.asyncio.Redis) -> None:
    watched = Watched(db)
    await watched.rig.pool()
    campaign = await watched.rig.push(chunk_of(people(12)), parts=12)
    async with watched.top.run_test(size=(140, 40)) as pilot:
        assert "ready 12" in watched.text("head")
        assert "no worker is running" in watched.text("notes")
        [queue] = watched.rows("queues")
        assert queue[:2] == [PROFILE, "12"]
        assert "rate 12" in queue
        assert watched.rows("campaigns")[0][:3] == [campaign.id, "ready", "0%"]
        flight = await watched.rig.take(5)
        await watched.rig.settle(flight, "a")
        await watched.top.draw()
        await pilot.pause()
        assert f"ready {12 - len(flight.grants)}" in watched.text("head")
        watched.away = True
        await watched.top.draw()
        assert "Redis is away" in watched.text("notes")


async def test_it_is_used_by_keyboard(db: redis.asyncio.Redis) -> None:
    watched = Watched(db)
    await watched.rig.pool()
    async with watched.top.run_test(size=(120, 30)) as pilot:
        for key, tab in (("3", "workers"), ("4", "senders"), ("2", "campaigns"), ("1", "queues")):
            await pilot.press(key)
            await pilot.pause()
            assert watched.top.query_one(TabbedContent).active == tab
        await pilot.press("space")
        await pilot.pause()  # a draw that was under way has ended: it shows a clock, and each is another
        before = watched.text("head")
        await watched.rig.push(chunk_of(people(3)))
        await watched.top.draw()
        assert watched.text("head") == before, "it holds still"
        await pilot.press("space")
        await watched.top.draw()
        await pilot.pause()
        assert "ready 3" in watched.text("head")
        await pilot.press("q")
    assert not watched.top.is_running


async def test_a_narrow_terminal_shows_the_columns_that_matter(db: redis.asyncio.Redis) -> None:
    watched = Watched(db)
    await watched.rig.pool()
    async with watched.top.run_test(size=(60, 20)) as pilot:
        assert watched.columns("queues") == ["profile", "ready", "rate", "done in"]
        await pilot.resize_terminal(140, 30)
        await watched.top.draw()
        assert "waits for" in watched.columns("queues")
        assert "why" in watched.columns("senders")


def test_once_as_json_is_the_snapshot_and_why_knows_what_it_shows(
    world: World, valkey: EmbeddedValkey, profile: str
) -> None:
    world.settings["VOLLEY_REDIS_URL"] = valkey.url
    world.json("numbers", "sync", "--profile", profile)
    rows = "to\n" + "".join(f"+1212555{n:04d}\n" for n in range(20))
    sent = world.json("send", "-", "--profile", profile, "--text", "hi", "--yes", stdin=rows)
    facts = world.json("top", "--once")
    assert facts["total"]["ready"] >= 20  # type: ignore[index]
    assert any(each["number"] for each in facts["senders"])  # type: ignore[attr-defined]
    said = world.run("top", "--once")
    assert (said.returncode, "queues" in said.stdout) == (0, True)
    answer = world.json("why", str(sent["campaign_id"]))
    assert answer["waiting"] == 20
    assert answer["causes"][0]["cause"] == "no_worker"  # type: ignore[index]
    told = world.run("why", str(sent["campaign_id"]))
    assert "20 messages wait" in told.stdout
    assert world.run("why", "nothing-of-ours").returncode == 2
    assert world.run("top", "--json").returncode == 2
