"""What is wrong with the settings, and what works but lacks something. Looks at values only; nothing is contacted."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from volley.carrier.reference import secrets_of
from volley.carrier.signature import public_keys
from volley.carrier.telnyx import base, session_headers
from volley.errors import UnusableInput
from volley.outbox.primary import SCHEMES
from volley.settings import Account, Settings, layers, problems

_REDIS_SCHEMES = ("redis://", "rediss://", "unix://", *SCHEMES)


def find() -> tuple[list[str], list[str]]:
    """(what makes the settings unusable, what is missing)."""
    values: dict[str, Any] = {}
    try:
        for _, found in layers():
            values |= found
        settings = Settings.model_validate(values)
        account = settings.current
    except UnusableInput as error:
        return [str(error)], []
    except ValidationError as error:
        return problems(error), []
    return _unusable(settings, account), _missing(settings, account)


def _unusable(settings: Settings, account: Account) -> list[str]:
    wrong = []
    checks: list[tuple[Callable[[str], object], str]] = [
        (public_keys, account.public_key or ""),
        (secrets_of, settings.secret.get_secret_value() if settings.secret else ""),
        (session_headers, account.api_key.get_secret_value() if account.api_key else ""),
        (base, account.base_url),
        (lambda _: settings.queue_url, account.redis_url or ""),
    ]
    for check, value in checks:
        try:
            if value:
                check(value)
        except UnusableInput as error:
            wrong.append(str(error))
    if account.redis_url and not account.redis_url.startswith(_REDIS_SCHEMES):
        wrong.append(f"redis_url: starts with one of {', '.join(_REDIS_SCHEMES)}")
    if settings.ledger_url and not _opens(settings.ledger_url):
        wrong.append("ledger_url: write sqlite+aiosqlite:///FILE or postgresql+asyncpg://…")
    if settings.prices and not settings.prices.is_file():
        wrong.append(f"prices: there is no file {settings.prices}")
    return wrong


def _opens(ledger_url: str) -> bool:
    from sqlalchemy import make_url  # many imports, and few set it
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return make_url(ledger_url).get_dialect().is_async
    except SQLAlchemyError:
        return False


def _missing(settings: Settings, account: Account) -> list[str]:
    lacks = {
        "TELNYX_API_KEY is not set: workers and volley numbers sync cannot reach the carrier": account.api_key,
        "TELNYX_PUBLIC_KEY is not set: webhooks cannot be verified and are refused": account.public_key,
        "VOLLEY_REDIS_URL is not set: volley up starts a Valkey of its own, the other commands look for that one": account.redis_url,
        "VOLLEY_PUBLIC_URL is not set: no message carries a webhook URL, what is unknown waits for records": settings.public_url,
        "VOLLEY_SECRET is not set: references in webhook URLs cannot be signed": settings.secret,
    }
    notes = [text for text, value in lacks.items() if not value]
    if settings.durability == "relaxed":
        notes.append(
            "durability is relaxed: a crash of Redis can forget what was sent a moment before, and send it again"
        )
    return notes
