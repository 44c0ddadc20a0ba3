"""Which senders are to go into a profile or out of one, and what stands against it. Reads the carrier, changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from producer.pool.named import Named, Names
from volley.carrier import alphanumeric_api, numbers_api, short_codes_api
from volley.carrier.api import TelnyxApi
from volley.carrier.edge import AlphanumericId, Number, ShortCode

_WORDS = {"number": "messaging number", "short_code": "short code", "alphanumeric": "alphanumeric ID"}


@dataclass(frozen=True, slots=True)
class Move:
    """One sender on its way: its id at the carrier, and the profile it is in (`at`; "" none). `problem`: why it cannot go.

    `settled`: it is there already. An alphanumeric ID that has no id yet is to be made.
    """

    sender: Named
    id: str = ""
    at: str = ""
    problem: str = ""
    settled: bool = False

    @property
    def open(self) -> bool:
        return not self.problem and not self.settled


async def plan(api: TelnyxApi, names: Names, target: str, source: str = "") -> list[Move]:
    """What is to be done to have all in profile `target`, "" in none; with a `source` only those that are in it may go."""
    numbers = await numbers_api.find(api, names.of("number"))
    codes = await _codes(api, names.of("short_code"))
    ids = await _ids(api, names.of("alphanumeric"))
    moves = []
    for sender in names.senders:
        if sender.shape == "alphanumeric":
            moves.append(_id_move(sender, ids[sender.name], target, source))
        else:
            found = numbers.get(sender.name) if sender.shape == "number" else codes.get(sender.name)
            moves.append(_move(sender, found, target, source))
    return moves


def absent(sender: Named) -> str:
    """Why the carrier does not find a sender."""
    word = _WORDS[sender.shape]
    return f"no {word} of this account: another account's, not provisioned yet, or not capable of messaging"


async def _codes(api: TelnyxApi, wanted: Sequence[str]) -> dict[str, ShortCode]:
    if not wanted:
        return {}
    return {row.short_code: row async for row in short_codes_api.short_codes(api) if row.short_code in wanted}


async def _ids(api: TelnyxApi, wanted: Sequence[str]) -> dict[str, list[AlphanumericId]]:
    found: dict[str, list[AlphanumericId]] = {name: [] for name in wanted}
    if wanted:
        async for row in alphanumeric_api.alphanumeric_ids(api):
            if row.alphanumeric_sender_id in found:
                found[row.alphanumeric_sender_id].append(row)
    return found


def _move(sender: Named, found: Number | ShortCode | None, target: str, source: str) -> Move:
    if found is None:
        return Move(sender, problem=absent(sender))
    move = Move(sender, found.id, found.messaging_profile_id or "")
    if source and move.at != source:
        return replace(move, problem=f"it is in {f'profile {move.at}' if move.at else 'no profile'}, not in {source}")
    return replace(move, settled=move.at == target)


def _id_move(sender: Named, found: Sequence[AlphanumericId], target: str, source: str) -> Move:
    at = {row.messaging_profile_id or "": row for row in found}
    if target:
        return Move(sender, at[target].id, target, settled=True) if target in at else Move(sender)
    if source:
        at = {profile: row for profile, row in at.items() if profile == source}
    if not at:
        return Move(sender, problem=f"it is not in {source}" if source else absent(sender))
    if len(at) > 1:
        return Move(sender, problem=f"it is in {len(at)} profiles: name one with --profile")
    ((profile, row),) = at.items()
    return Move(sender, row.id, profile)
