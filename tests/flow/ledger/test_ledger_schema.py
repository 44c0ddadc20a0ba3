"""The ledger's database: upgraded by many at once, durable, and the same as the tables in code."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, TextClause, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from volley.errors import UnusableInput, VolleyError
from volley.ledger import engine as ledger_engine
from volley.ledger.engine import open_ledger, upgrade, writing
from volley.ledger.merge import Upserts
from volley.ledger.ranks import SUBMITTED
from volley.ledger.rows import message_of_attempt
from volley.ledger.schema import messages, metadata

_UPGRADE = """
import asyncio, sys
from volley.ledger.engine import open_ledger, upgrade

async def main():
    engine = open_ledger(sys.argv[1])
    await upgrade(engine)
    await engine.dispose()

asyncio.run(main())
"""


async def test_the_migrations_make_the_tables_that_the_code_knows(engine):
    async with engine.connect() as connection:
        assert (
            await connection.run_sync(lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)) == []
        )


async def test_an_upgrade_of_what_is_up_to_date_changes_nothing(engine):
    async with engine.connect() as connection:
        before = list(await connection.exec_driver_sql("SELECT sql FROM sqlite_master"))
    await upgrade(engine)
    async with engine.connect() as connection:
        assert list(await connection.exec_driver_sql("SELECT sql FROM sqlite_master")) == before


async def test_what_the_first_release_recorded_is_there_after_the_upgrade(tmp_path: Path, push):
    engine = open_ledger(f"sqlite+aiosqlite:///{tmp_path}/first.db")
    async with writing(engine) as connection:
        await connection.run_sync(_as_first_released)
        rows = [message_of_attempt(push.attempt(i), SUBMITTED) for i in range(3)]
        await connection.execute(Upserts("sqlite").messages, rows)
        before = (await connection.execute(select(messages))).all()
    await upgrade(engine)
    async with engine.connect() as connection:
        assert (await connection.execute(select(messages))).all() == before
        found = await connection.scalars(select(messages.c.offset).where(messages.c.recipient == rows[1]["recipient"]))
        assert [*found] == [1]
        found = await connection.exec_driver_sql("PRAGMA integrity_check")
        assert found.scalar() == "ok"
    await engine.dispose()


def _as_first_released(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(ledger_engine.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def test_processes_that_upgrade_at_once_do_not_collide(tmp_path: Path):
    command = [sys.executable, "-c", _UPGRADE, f"sqlite+aiosqlite:///{tmp_path}/new.db"]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors


async def test_a_commit_is_on_the_disk_before_it_returns(engine):
    async with engine.connect() as connection:
        assert await connection.scalar(_pragma("journal_mode")) == "wal"
        assert await connection.scalar(_pragma("synchronous")) == 2


def _pragma(name: str) -> TextClause:
    return text(f"PRAGMA {name}")


async def test_a_schema_of_a_newer_release_is_refused(engine):
    async with engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(VolleyError, match="newer release: update Volley"):
        await upgrade(engine)


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
    assert "ON CONFLICT" in str(upserts.messages.compile(dialect=dialect))
    assert "DO NOTHING" in str(upserts.chunks.compile(dialect=dialect))
    assert all("CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables)
