"""`volley profiles`: the carrier's messaging profiles."""

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from producer.cli import profile_options as of
from producer.cli.output import emit, facts, flat, note, say, table
from volley.errors import UnusableInput


def register(app: typer.Typer) -> None:
    profiles = typer.Typer(help="Messaging profiles at the carrier.", no_args_is_help=True)
    profiles.command("list")(list_)
    for command in (show, create, update, delete):
        profiles.command(command.__name__)(command)
    app.add_typer(profiles, name="profiles")


def list_(
    contains: Annotated[str, typer.Option("--contains", help="Only those with this in their name.")] = "",
    as_json: of.Json = False,
) -> None:
    """All messaging profiles of the account."""
    from producer.cli.at_carrier import Counter, at_carrier
    from producer.pool.profiles import listed

    async def work(counter: Counter) -> list[dict[str, Any]]:
        return await listed(counter.api, contains)

    documents = at_carrier(work)
    if as_json:
        emit({"profiles": documents})
        return
    columns = ("profile", "name", "state", "destinations", "pool", "limit a day")
    table(columns, [_row(document) for document in documents])


def _row(document: dict[str, Any]) -> tuple[object, ...]:
    limit = document["daily_spend_limit"] if document["daily_spend_limit_enabled"] else None
    destinations = document["whitelisted_destinations"]
    return (
        document["profile_id"],
        document["name"],
        "enabled" if document["enabled"] else "disabled",
        ",".join(destinations[:6]) + (",…" if len(destinations) > 6 else ""),
        _pool(document["number_pool_settings"]),
        f"{limit} USD" if limit else "-",
    )


def _pool(settings: dict[str, Any] | None) -> str:
    if settings is None:
        return "-"
    on = [name for name in ("sticky_sender", "geomatch", "skip_unhealthy") if settings[name]]
    return " ".join([f"{settings['long_code_weight']:g}:{settings['toll_free_weight']:g}", *on])


def show(profile_id: of.ProfileId, as_json: of.Json = False) -> None:
    """One profile: every setting, and how many senders of each type it has."""
    from producer.cli.at_carrier import Counter, at_carrier
    from producer.pool.profiles import shown

    async def work(counter: Counter) -> dict[str, Any]:
        return await shown(counter.api, profile_id)

    _tell(at_carrier(work), as_json=as_json)


def create(
    context: typer.Context,
    name: of.Name = None,
    destinations: of.Destinations = None,
    enabled: of.Enabled = None,
    webhook_url: of.WebhookUrl = None,
    webhook_failover_url: of.FailoverUrl = None,
    pool: of.Pool = None,
    long_code_weight: of.LongCodeWeight = None,
    toll_free_weight: of.TollFreeWeight = None,
    skip_unhealthy: of.SkipUnhealthy = None,
    sticky_sender: of.Sticky = None,
    geomatch: of.Geomatch = None,
    spend_limit: of.SpendLimit = None,
    spend_limited: of.SpendLimited = None,
    smart_encoding: of.SmartEncoding = None,
    mobile_only: of.MobileOnly = None,
    mms_fall_back_to_sms: of.MmsFallback = None,
    mms_transcoding: of.MmsTranscoding = None,
    alpha_sender: of.AlphaSender = None,
    as_json: of.Json = False,
) -> None:
    """Makes a profile. It needs a name and the countries that it may send to."""
    from producer.cli.at_carrier import Counter, at_carrier, recorded
    from producer.pool.profiles import create as make
    from producer.pool.profiles import document, settings_of, wishes

    wanted = wishes(context.params)

    async def work(counter: Counter) -> dict[str, Any]:
        made = document(await make(counter.api, wanted))
        await recorded(counter, "profile_create", profile=made["profile_id"], settings=settings_of(wanted))
        return made

    _tell(at_carrier(work), as_json=as_json)


def update(
    context: typer.Context,
    profile_id: of.ProfileId,
    name: of.Name = None,
    destinations: of.Destinations = None,
    enabled: of.Enabled = None,
    webhook_url: of.WebhookUrl = None,
    webhook_failover_url: of.FailoverUrl = None,
    pool: of.Pool = None,
    long_code_weight: of.LongCodeWeight = None,
    toll_free_weight: of.TollFreeWeight = None,
    skip_unhealthy: of.SkipUnhealthy = None,
    sticky_sender: of.Sticky = None,
    geomatch: of.Geomatch = None,
    spend_limit: of.SpendLimit = None,
    spend_limited: of.SpendLimited = None,
    smart_encoding: of.SmartEncoding = None,
    mobile_only: of.MobileOnly = None,
    mms_fall_back_to_sms: of.MmsFallback = None,
    mms_transcoding: of.MmsTranscoding = None,
    alpha_sender: of.AlphaSender = None,
    as_json: of.Json = False,
) -> None:
    """Changes what is given and nothing else. Our pool follows at the next volley numbers sync."""
    from producer.cli.at_carrier import Counter, at_carrier, recorded
    from producer.pool.profiles import document, settings_of, wishes
    from producer.pool.profiles import update as change

    wanted = wishes(context.params)

    async def work(counter: Counter) -> dict[str, Any]:
        changed = document(await change(counter.api, profile_id, wanted))
        await recorded(counter, "profile_update", profile=profile_id, settings=settings_of(wanted))
        return changed

    _tell(at_carrier(work), as_json=as_json)
    note(f"our pool follows with: volley numbers sync --profile {profile_id}")


def delete(
    profile_id: of.ProfileId,
    yes: Annotated[bool, typer.Option("--yes", help="No question.")] = False,
    as_json: of.Json = False,
) -> None:
    """Deletes a profile. Its numbers stay in the account, in no profile; our pool of it is emptied first."""
    from producer.cli.at_carrier import Counter, at_carrier, recorded
    from producer.pool.profile_removal import Candidate, Removal

    async def look(counter: Counter) -> Candidate:
        return await Removal(counter.settings, counter.api, counter.outbox).look(profile_id)

    async def work(counter: Counter) -> None:
        await Removal(counter.settings, counter.api, counter.outbox).run(candidate)
        await recorded(counter, "profile_delete", profile=profile_id)

    candidate = at_carrier(look, with_pool=True)
    # between two loops: one that runs takes Ctrl-C for itself
    agreed = yes or _agreed(candidate.question)
    if agreed:
        at_carrier(work, with_pool=True)
    if as_json:
        emit({**asdict(candidate), "deleted": agreed})
    elif agreed:
        say(f"profile {profile_id} is deleted")
    if not agreed:
        note("nothing was deleted")
        raise typer.Exit(1)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UnusableInput(f"{question} Nobody is here to be asked: add --yes")
    return typer.confirm(question, default=False, err=True)


def _tell(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(document)
        return
    senders = document.pop("senders", None)
    facts(flat(document))
    if senders is not None:
        facts(
            senders.items() or [("none", "volley numbers assign NUMBER --profile " + document["profile_id"])],
            title="senders",
        )
