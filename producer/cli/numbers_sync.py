"""What `volley numbers sync` prints: who joined and left, what our pool follows and where it differs, who is not ready."""

from producer.cli.output import facts, say, table
from producer.pool.sync import Synced, profile_settings
from volley.carrier.reach import only, words

SHOWN = 20
"""Numbers that are not ready, in text; --json has all."""


def show(synced: Synced) -> None:
    kept = f" ({synced.kept} more only for the people pinned to them)" if synced.kept else ""
    say(
        f"{synced.usable} of {synced.numbers} numbers can send for {synced.profile}{kept};"
        f" {synced.joined} joined, {synced.left} left"
    )
    say(
        f"together {synced.rate:g} parts/s, of which the limits and weights of account and profile allow {synced.allowed:g}"
    )
    if synced.lifted:
        say(f"the profile rests no longer ({synced.lifted})")
    _settings(synced)
    _not_ready(synced)
    if synced.warnings:
        counts = ", ".join(f"{cause} {count}" for cause, count in synced.warnings.items())
        say(f"\nwarnings, which block nothing (volley numbers doctor explains them): {counts}")


def _settings(synced: Synced) -> None:
    document = profile_settings(synced.facts)
    limit = document["daily_spend_limit"]
    document["destinations"] = words(only(document["destinations"]))
    document["daily_spend_limit"] = f"{limit['amount']} {limit['currency']}" if limit else "none"
    facts(((name.replace("_", " "), _word(value)) for name, value in document.items()), title="the profile's settings")
    if synced.facts.deviations:
        say("\nwhere Volley differs from the profile")
        for each in synced.facts.deviations:
            say(f"- {each}")


def _not_ready(synced: Synced) -> None:
    if not synced.not_ready:
        return
    rows = ((each.number, each.reason, each.blocking[0].remedy) for each in synced.not_ready[:SHOWN])
    table(("number", "why not", "what to do"), rows, title="not ready")
    more = len(synced.not_ready) - SHOWN
    if more > 0:
        say(f"… and {more} more: volley numbers doctor --profile {synced.profile} tells of each")


def _word(value: object) -> object:
    return {True: "on", False: "off", None: "-"}.get(value, value) if isinstance(value, bool | None) else value
