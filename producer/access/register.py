"""The keys of an account in the ledger's database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from producer.access.keys import ApiKey
from volley.errors import UnusableInput
from volley.ledger.actions import note
from volley.ledger.engine import writing
from volley.ledger.schema import api_keys
from volley.outbox.actions import NOBODY


async def add(engine: AsyncEngine, key: ApiKey, who: str = NOBODY) -> None:
    """`who` made it: that is in the audit log, with what the key may."""
    async with writing(engine) as connection:
        await connection.execute(insert(api_keys).values(**_row(key)))
        await note(connection, who, "key_create", key=key.id, name=key.name, mode=key.mode, scopes=sorted(key.scopes))


async def of_account(engine: AsyncEngine, account: str) -> list[ApiKey]:
    """All of them, the revoked and expired ones too, the oldest first."""
    query = select(api_keys).where(api_keys.c.account == account).order_by(api_keys.c.created_us, api_keys.c.id)
    async with engine.connect() as connection:
        return [_key(row._asdict()) for row in await connection.execute(query)]


async def revoke(engine: AsyncEngine, account: str, key_id: str, now_us: int, who: str = NOBODY) -> ApiKey:
    """The key, which nothing is done with any more. A second time changes nothing.

    Raises:
        UnusableInput: the account has no such key.
    """
    mine = (api_keys.c.account == account) & (api_keys.c.id == key_id)
    async with writing(engine) as connection:
        await connection.execute(
            update(api_keys).where(mine, api_keys.c.revoked_us.is_(None)).values(revoked_us=now_us)
        )
        row = (await connection.execute(select(api_keys).where(mine))).one_or_none()
        if row is None:
            raise UnusableInput(f"no API key {key_id[:40]!r}: see volley keys list")
        await note(connection, who, "key_revoke", key=key_id, name=row.name)
    return _key(row._asdict())


def _row(key: ApiKey) -> dict[str, Any]:
    fields = {name: getattr(key, name) for name in ApiKey.__slots__}
    return fields | {"scopes": " ".join(sorted(key.scopes))}


def _key(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(row["scopes"].split())})
