"""The settings, looked at as values: nothing is contacted."""

from collections.abc import Callable

from producer.doctor.verdict import Verdict, failed, ok, warning
from volley.carrier.reference import secrets_of
from volley.carrier.signature import public_keys
from volley.errors import UnusableInput
from volley.settings import Settings


def unusable(problems: list[str]) -> list[Verdict]:
    """One line a problem that `volley config check` finds."""
    return [failed("settings", problem, "volley config check lists all that is wrong") for problem in problems]


def check(settings: Settings) -> list[Verdict]:
    return [_readable(settings), secret(settings), public_key(settings), public_url(settings), durability(settings)]


def _readable(settings: Settings) -> Verdict:
    return ok("settings", f"readable; account {settings.account}, data in {settings.home}")


def secret(settings: Settings) -> Verdict:
    given = settings.secret.get_secret_value() if settings.secret else ""
    if not given:
        say = failed if settings.public_url else warning
        return say(
            "secret", "VOLLEY_SECRET is not set: no reference can be signed", "set it: openssl rand -hex 32 makes one"
        )
    return _readable_as("secret", secrets_of, given, "VOLLEY_SECRET is set and long enough")


def public_key(settings: Settings) -> Verdict:
    given = settings.current.public_key
    if not given:
        say = failed if settings.public_url else warning
        todo = "set TELNYX_PUBLIC_KEY: it stands in the carrier's portal beside the API keys"
        return say("public key", "TELNYX_PUBLIC_KEY is not set: every webhook is refused", todo)
    return _readable_as("public key", public_keys, given, "TELNYX_PUBLIC_KEY is a key")


def public_url(settings: Settings) -> Verdict:
    if settings.public_url:
        return ok("public address", settings.public_url)
    lacks = "VOLLEY_PUBLIC_URL is not set: messages carry no webhook URL, and what is unknown waits for records"
    return warning(
        "public address", lacks, "set it to where the carrier reaches volley serve; until then: volley reconcile"
    )


def durability(settings: Settings) -> Verdict:
    if settings.durability == "strict":
        return ok("durability", "strict: nothing is sent before its grant is on Redis' disk")
    risk = "relaxed: when Redis crashes, messages may be lost or sent twice"
    return warning("durability", risk, "use a Redis with appendfsync always, and take VOLLEY_DURABILITY away")


def _readable_as(name: str, read: Callable[[str], object], given: str, found: str) -> Verdict:
    try:
        read(given)
    except UnusableInput as error:
        return failed(name, str(error), "volley config check lists all that is wrong")
    return ok(name, found)
