"""Upserts that commute: rows may come in any order and any number of times, and end the same.

A register is a group of columns that move together: the row whose key is greater wins them all. Keys are never NULL in
their first column, and hold what tells two different reports apart, so no two rows with equal keys differ.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Dialect, Table, case, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.dml import Insert

from volley.errors import UnusableInput
from volley.ledger import feed_schema, schema
from volley.ledger.rows import Row


class Register(NamedTuple):
    key: tuple[str, ...]
    payload: tuple[str, ...] = ()


PERSON = Register(("taken_us",), ("recipient", "country", "reference", "encoding", "parts", "estimated_micros"))
MESSAGE = (
    Register(("rank", "status_us", "error_code"), ("error_text",)),
    Register(("attempts",)),
    PERSON,
    Register(("sender_attempt", "sender")),
    Register(("carrier_id",)),
    Register(("parts_us", "carrier_parts"), ("carrier_encoding",)),
    # the answer to the POST, then message.sent, then message.finalized: a message has one cost, never a sum
    Register(("cost_rank", "cost_us", "cost_micros"), ("rate_micros", "fee_micros", "currency")),
)
CAMPAIGN = (
    Register(("state_us", "state")),
    Register(("created_us",), ("profile", "idempotency_key", "currency", "accepted", "chunks", "facts")),
)
ATTEMPT = (Register(("rank",)),)
# the number that was texted says more than the profile, and a later message more than an earlier one
INBOUND = (Register(("answer_rank", "answer_us", "campaign_id", "chunk", "offset")),)

# the last word counts; of two that were said in one moment, the STOP
OPTOUT = (Register(("at_us", "opted_out")),)

LATEST = ("sent_us", "completed_us")
EARLIEST = ("submitted_us",)


class Upsert:
    """A statement for any number of rows, each with all columns, in the driver's own words: what SQLAlchemy does to every value
    of every row costs more than the database does.
    """

    def __init__(self, statement: Insert, table: Table, dialect: Dialect) -> None:
        names = [column.name for column in table.columns if column.computed is None]
        compiled = statement.compile(dialect=dialect, column_keys=names)
        self.sql = str(compiled)
        self._values = itemgetter(*compiled.positiontup or ())

    async def write(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        if rows:
            await connection.exec_driver_sql(self.sql, list(map(self._values, rows)))


class Upserts:
    """The statements of one database dialect; `*_once` keep the first row of a key."""

    def __init__(self, dialect: str) -> None:
        self._dialect: Dialect = _positional(dialect)
        self.messages = self._merging(schema.messages, MESSAGE, LATEST, EARLIEST)
        # a row that names nobody (taken_us -1) never wins PERSON: unnamed, its columns cost their index nothing
        nameless = [register for register in MESSAGE if register is not PERSON]
        self.nameless = self._merging(schema.messages, nameless, LATEST, EARLIEST)
        self.campaigns = self._merging(schema.campaigns, CAMPAIGN, earliest=("started_us",))
        self.attempts = self._merging(schema.attempts, ATTEMPT)
        self.campaign_events = self._once(schema.campaign_events)
        self.actions = self._once(schema.actions)
        self.chunks = self._once(schema.chunks)
        self.moves = self._once(schema.moves)
        # an event may be delivered several times: only the moment of that differs
        self.receipts = self._merging(schema.receipts, (), earliest=("received_us",))
        self.inbound = self._merging(schema.inbound, INBOUND, earliest=("received_us",))
        self.optouts = self._merging(schema.optouts, OPTOUT)
        self.callbacks = self._once(feed_schema.callbacks)
        self.carrier_ids = self._once(schema.carrier_ids)
        self.quarantine = self._once(schema.quarantine)

    def _insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        return sqlite.insert(table) if self._dialect.name == "sqlite" else postgresql.insert(table)

    def _once(self, table: Table) -> Upsert:
        return Upsert(self._insert(table).on_conflict_do_nothing(), table, self._dialect)

    def _merging(
        self, table: Table, registers: Sequence[Register], latest: Sequence[str] = (), earliest: Sequence[str] = ()
    ) -> Upsert:
        statement = self._insert(table)
        new, old = statement.excluded, table.c
        merged: dict[str, ColumnElement[object]] = {}
        for register in registers:
            wins = tuple_(*[new[name] for name in register.key]) > tuple_(*[old[name] for name in register.key])
            merged |= {name: case((wins, new[name]), else_=old[name]) for name in (*register.key, *register.payload)}
        for name in latest:
            merged[name] = case((old[name].is_(None), new[name]), (new[name] > old[name], new[name]), else_=old[name])
        for name in earliest:
            merged[name] = case((old[name].is_(None), new[name]), (new[name] < old[name], new[name]), else_=old[name])
        merging = statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=merged)
        return Upsert(merging, table, self._dialect)


def _positional(dialect: str) -> Dialect:
    """How the ledger's drivers are spoken to: values by their place."""
    if dialect == "sqlite":
        return sqlite.dialect()
    if dialect == "postgresql":
        return asyncpg.dialect()  # type: ignore[no-untyped-call]
    raise UnusableInput(f"the ledger runs on SQLite or PostgreSQL, not on {dialect}: see VOLLEY_LEDGER_URL")
