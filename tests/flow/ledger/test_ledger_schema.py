"""The ledger's database: upgraded by many at once, durable, and the same as the tables in code."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, Table, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateTable

from tests.flow.ledger.conftest import Push
from volley.errors import UnusableInput, VolleyError
from volley.ledger import engine as ledger_engine
from volley.ledger import schema
from volley.ledger.engine import SchemaBehind, made_ready, newest, open_ledger, revision, upgrade, writing
from volley.ledger.facts import Entry, Facts
from volley.ledger.merge import Upserts
from volley.ledger.rows import receipt_row
from volley.ledger.schema import metadata
from volley.outbox.events import pack

_UPGRADE = """
import asyncio, sys
from volley.ledger.engine import open_ledger, upgrade

async def main():
    engine = open_ledger(sys.argv[1])
    await upgrade(engine)
    await engine.dispose()

asyncio.run(main())
"""


async def test_the_migrations_make_the_tables_that_the_code_knows(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert (
            await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)) == []
        )


async def tables(engine: AsyncEngine) -> list[Any]:
    catalogue = "sqlite_master" if engine.dialect.name == "sqlite" else "pg_class WHERE relkind IN ('r', 'i')"
    async with engine.connect() as connection:
        return [*await connection.exec_driver_sql(f"SELECT * FROM {catalogue} ORDER BY 2")]


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(engine: AsyncEngine) -> None:
    before = await tables(engine)
    await upgrade(engine)
    assert await tables(engine) == before


@pytest.fixture
async def first(fresh_url: str, push: Push) -> AsyncIterator[AsyncEngine]:
    """A ledger as the first release made it, with rows in all of its tables."""
    engine = open_ledger(fresh_url)
    async with writing(engine) as connection:
        await connection.run_sync(_as_first_released)
        rows = Facts()
        rows.add(Entry("1-0", {b"v": b"1", b"k": b"sealed", b"c": push.campaign.to_json()}), {}.get)
        records = pack([push.attempt(i) for i in range(3)])
        rows.add(Entry("2-0", {b"v": b"1", b"k": b"attempts", b"p": records, b"m": b"aaa"}), {}.get)
        rows.add(Entry("3-0", {b"v": b"1", b"k": b"receipts", b"p": pack([push.receipt(0)])}), {}.get)
        found = {"campaigns": rows.campaigns, "attempts": rows.attempts, "messages": rows.messages[:3]}
        found["receipts"] = [receipt_row(each) for each in rows.receipts]
        for name, table in (await connection.run_sync(_tables)).items():
            if name in found:
                known = [
                    {column: row[column] for column in map(str, table.c.keys()) if column in row} for row in found[name]
                ]
                await connection.execute(table.insert(), known)
    yield engine
    await engine.dispose()


def _as_first_released(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(ledger_engine.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def _tables(connection: Connection) -> dict[str, Table]:
    """As they are in the database."""
    held = MetaData()
    held.reflect(connection)
    return dict(held.tables)


async def dump(engine: AsyncEngine, columns: dict[str, list[str]]) -> dict[str, list[Any]]:
    async with engine.connect() as connection:
        found = await connection.run_sync(_tables)
        kept = {name: select(*[found[name].c[column] for column in names]) for name, names in columns.items()}
        return {name: sorted(map(tuple, await connection.execute(query))) for name, query in kept.items()}


async def test_what_the_first_release_recorded_is_there_after_the_upgrade(first: AsyncEngine, push: Push) -> None:
    async with first.connect() as connection:
        made = await connection.run_sync(_tables)
    columns = {name: made[name].c.keys() for name in ("campaigns", "messages", "attempts", "receipts")}
    before = await dump(first, columns)
    assert all(before.values())
    await upgrade(first)
    assert await revision(first) == newest()
    assert await dump(first, columns) == before
    recipient = push.attempt(1).to
    async with first.connect() as connection:
        offsets = select(schema.messages.c.offset).where(schema.messages.c.recipient == recipient)
        assert [*await connection.scalars(offsets)] == [1]
        assert await connection.scalar(select(func.count()).select_from(schema.inbound)) == 0


def test_processes_that_upgrade_at_once_do_not_collide(first: AsyncEngine, fresh_url: str) -> None:
    command = [sys.executable, "-c", _UPGRADE, fresh_url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, errors


async def test_only_postgresqls_tables_wait_for_an_operator(first: AsyncEngine) -> None:
    if first.dialect.name == "sqlite":
        await made_ready(first)
        assert await revision(first) == newest()
        return
    with pytest.raises(SchemaBehind, match=r"older release \(0001, .*run volley db upgrade"):
        await made_ready(first)
    assert await revision(first) == "0001"
    await upgrade(first)
    await made_ready(first)


async def test_where_nothing_is_yet_whoever_comes_first_makes_it(fresh_url: str) -> None:
    engine = open_ledger(fresh_url)
    assert await revision(engine) == ""
    await asyncio.gather(made_ready(engine), made_ready(engine))
    assert await revision(engine) == newest()
    await engine.dispose()


async def test_a_commit_is_on_the_disk_before_it_returns(engine: AsyncEngine) -> None:
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert await connection.scalar(text("PRAGMA synchronous")) == 2
        return
    async with engine.begin() as connection:
        await connection.exec_driver_sql("ALTER ROLE volley SET synchronous_commit = off")
    await engine.dispose()
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(text("SHOW synchronous_commit")) == "off"
        async with writing(engine) as connection:
            assert await connection.scalar(text("SHOW synchronous_commit")) == "on"
    finally:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("ALTER ROLE volley RESET synchronous_commit")


async def test_a_schema_of_a_newer_release_is_refused(first: AsyncEngine) -> None:
    async with writing(first) as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for each in (upgrade, made_ready):
        with pytest.raises(VolleyError, match=r"newer release \(9999\): update Volley"):
            await each(first)


@pytest.mark.parametrize("url", ["not a url", "oracle://here/there", "nosuch://x"])
def test_a_url_that_cannot_be_used_says_what_can(url):
    with pytest.raises(UnusableInput, match=r"VOLLEY_LEDGER_URL: .*sqlite"):
        open_ledger(url)


def test_another_database_is_refused():
    with pytest.raises(UnusableInput, match="SQLite or PostgreSQL, not on mysql"):
        Upserts("mysql")


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_tables_and_upserts_are_spoken_in_both_dialects(dialect):
    upserts = Upserts(dialect.name)
    assert "ON CONFLICT" in upserts.messages.sql
    assert "DO NOTHING" in upserts.chunks.sql
    assert all("CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables)


def test_an_operator_looks_upgrades_and_looks_again(
    first: AsyncEngine, fresh_url: str, volley: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    def db(*words: str) -> subprocess.CompletedProcess[str]:
        return volley("db", *words, VOLLEY_LEDGER_URL=fresh_url)

    behind = db("check")
    assert (behind.returncode, "run volley db upgrade" in behind.stderr) == (1, True)
    assert orjson.loads(db("current", "--json").stdout)["state"] == "behind"
    upgraded = orjson.loads(db("upgrade", "--json").stdout)
    assert (upgraded["from"], upgraded["revision"], upgraded["state"]) == ("0001", newest(), "current")
    assert (db("check").returncode, "up to date" in db("current").stdout) == (0, True)
