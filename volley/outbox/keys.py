"""Every Redis key of the data plane: name, type, lifetime. Lua gets these as KEYS and only appends ids to them.

All keys of an account share one hash tag, so one script may touch any of them and a Cluster keeps them in one slot.
Ids that are appended: `cid` campaign id · `k` chunk index · `p` profile index · `lane owner` `s<sender>` or `c<p>.<class>`
· `pr` priority, u or b.
"""

import re
from typing import NamedTuple

_LETTER = re.compile("[A-Za-z]")


class Key(NamedTuple):
    """`lifetime` is in words: what ends it. `permanent` keys are bounded by what they count (senders, people, campaigns)."""

    name: str
    suffix: str
    type: str
    lifetime: str


DIRECTORY: tuple[Key, ...] = (
    Key("campaigns", "", "zset campaign → created µs", "retention_days"),
    Key(
        "campaign",
        "cid",
        "hash: meta (JSON) and what moves: st w p pr x ch next ln vf sd fb mm ou sw n<state> sp cm f l gu pt rf "
        "po t<term> wk pp bc bd bz bn bt be py ab rn",
        "retention",
    ),
    Key("chunk", "cid:k", "string: blob", "until its chunk is retired or its push abandoned"),
    Key("states", "cid:k", "string: one byte a message", "as chunk"),
    Key("lanes", "cid", "set of lane owners", "as campaign's last chunk"),
    Key("lane", "cid:lane owner", "list of refs", "empties itself"),
    Key("ready", "pr:lane owner", "zset campaign → start tag, MMS behind all others", "empties itself"),
    Key("busy", "pr:p", "zset sender → free at µs; those with a lane of their own", "empties itself"),
    Key("shared", "pr:p", "set of class lane owners that have work", "empties itself"),
    Key("active", "pr", "set of profiles that have work", "empties itself"),
    Key("pool", "c<p>.<class>", "zset sender → free at µs; all that may send", "permanent: senders"),
    Key("sender", "", "hash sender index → rate profile class state+flags group", "permanent: senders"),
    Key("senderinfo", "", "hash number, or alphanumeric ID@profile → JSON with its index", "permanent: senders"),
    Key("numbers", "", "hash sender index → number", "permanent: senders"),
    Key("profile", "", "hash profile id → profile index", "permanent: profiles"),
    Key("profileinfo", "", "hash profile id → JSON of its facts", "permanent: profiles"),
    Key("classes", "", "hash profile index → class weight class weight … (nopins)", "permanent: profiles"),
    Key("routes", "", "hash profile index → groups of classes, which prefix has which", "permanent: profiles"),
    Key(
        "rates",
        "",
        "hash bucket (a, m, p<p>, g<group>, c<cid>) → parts per 1,000 s",
        "permanent: buckets; c as campaign",
    ),
    Key("tat", "", "hash bucket, or s<sender> out of the pool → µs at which it is free", "permanent: as rates"),
    Key("stops", "", "hash bucket, s<sender>, or h (all sending) → JSON until, reason", "swept when over"),
    Key("fair", "", "hash priority → virtual time", "permanent: two fields"),
    Key(
        "pin",
        "p:low bits of the recipient, 2 bytes",
        "hash recipient → sender × 100,000 + day",
        "expires pin_days after the last one",
    ),
    Key("optout", "p", "set of recipients", "permanent: people who opted out"),
    Key("flight", "token", "string: packed flight", "settle or reap"),
    Key("flights", "", "zset token → deadline µs", "settle or reap"),
    Key("later", "", "zset campaign id + ref → due µs", "empties itself"),
    Key("due", "", "zset job → µs by which it must have shown life", "empties itself"),
    Key("unplanned", "", "zset campaign → order", "until planned"),
    Key("expiring", "", "zset campaign → expiry µs", "until expired or finished"),
    Key("live", "", "zset campaign → sealed µs", "until nothing is open"),
    Key("open", "", "zset unsealed campaign → µs of its last admit", "seal, abandon, or an hour"),
    Key(
        "once",
        "idempotency key",
        "string: campaign id, content hash",
        "24 h for a key that we made, 30 days for a given one",
    ),
    Key("final", "cid", "hash chunk → ledger entry that ended it", "until retired"),
    Key("evict", "", "set of lane owners whose lanes must move to others", "empties itself"),
    Key("sent", "day", "hash sender → parts", "3 days"),
    Key("tempo", "10 s slot", "hash profile → parts taken", "2 minutes"),
    Key("workers", "", "zset worker → last seen µs", "swept after an hour"),
    Key("worker", "worker", "hash: host, pid, started, version, in flight, rate, loop lag, taking", "15 s"),
    Key("ledger", "", "stream", "until the recorder has committed it"),
    Key(
        "sequence",
        "",
        "hash: last sender and profile index given out, p:<profile id> → one that its first sync will give it",
        "permanent: two fields, and profiles",
    ),
    Key(
        "heard",
        "",
        "zset message that a receipt told of while it was being sent, or with a d while a retry was on, or with r and its "
        "attempts that was made ready again → µs",
        "an hour",
    ),
    Key("said", "", "zset profile index:recipient → µs of their last STOP or START", "8 days"),
    Key("inbound", "", "stream: texts that people sent us, one JSON field each", "inbound_bound entries"),
    Key("webhooks", "", "hash: what webhooks came to → how many, and when last", "permanent: some thirty fields"),
    Key(
        "probe",
        "",
        "hash: idempotency (JSON of what the carrier did), barrier (µs of doctor's last write)",
        "permanent: two fields",
    ),
    Key(
        "circuit",
        "",
        "hash: why at (last trip µs) since until (next grant µs) trips probes; absent: closed",
        "until a probe gets through",
    ),
    Key(
        "poison",
        "",
        "hash cid:k → recoveries, first µs, last µs, settled then; or z, since µs, messages",
        "72 h; set aside: until redriven or its campaign is forgotten",
    ),
    Key(
        "server",
        "",
        "hash: run (id that wrote last), until (no takes before), swept, spare (no reaping before), seen (the clock), µs",
        "permanent: five fields",
    ),
    Key("conservation", "", "hash: who audits → JSON of what its last round found", "10 minutes after the last round"),
    Key(
        "unknown",
        "",
        "hash unknown message (cid, k, offset, packed) → what is known of it",
        "until resolved or given up",
    ),
    Key(
        "doubts", "", "zset unknown message → µs at which it is looked at next", "as unknown; away while a repeat flies"
    ),
    Key(
        "outcomes",
        "",
        "hash kind:code → how many attempts came to it, or messages (undelivered:code)",
        "permanent: a field a code of the carrier's",
    ),
    Key("history", "", "stream: a point each half minute, of what waited and went", "960 entries, 8 hours"),
    Key("asleep", "", "zset campaign that waits by its own terms → µs at which it wakes", "until it wakes or ends"),
    Key(
        "hours",
        "cid",
        "hash: group of zones → its windows, * → their union, of → group of each chunk, n groups, > → µs of the next opening",
        "as campaign; two hours where its push is never sealed",
    ),
    Key("parked", "cid", "zset chunk that is planned when its window opens → its group", "until planned, or as lanes"),
    Key("reckon", "", "zset campaign → µs at which its windows are reckoned anew", "while anything of it is open"),
    Key("pushing", "idempotency key", "string: who is at it", "20 s after its last sign of life"),
    Key(
        "allowed",
        "day",
        "hash API key → messages it has pushed that day, where it has a limit",
        "2 days after the last of them",
    ),
    Key(
        "retried",
        "",
        "zset carrier id of an attempt after which its message was retried, campaign of which some are just now → µs",
        "8 days, and the key with the last of them",
    ),
    Key(
        "gathered",
        "",
        "zset campaign of gathered messages (in no other list of all) → µs at which it was sealed, or last found open",
        "ten minutes; in campaigns from then on, where something of it is unknown or dead",
    ),
    Key(
        "serves",
        "",
        "hash host:pid of a volley serve → JSON of what it shows of itself",
        "a minute after the last word",
    ),
    Key(
        "pincount", "", "hash sender index → people pinned to it when they were counted last; at → when, µs", "an hour"
    ),
)

PIN_BUCKETS = 16384
"""Some 60 people a bucket at a million, packed in some 23 bytes each. Packing ends at 512 people a bucket (8 million a profile,
then 100 bytes a pin); below 20,000 people the buckets weigh more than the pins, and nobody minds."""


def sender_field(number: str, profile: str) -> str:
    """A sender's field in `senderinfo`, as lua/lib.lua's field_of: an alphanumeric ID is a sender of its own in each profile."""
    return f"{number}@{profile}" if _LETTER.search(number) else number


class Keys:
    """The names of one account. `keys.ledger` is the whole key; those with ids are methods of the same name."""

    def __init__(self, account: str) -> None:
        self.prefix = f"volley:{{{account}}}:"
        self.directory: list[str] = [self.prefix + key.name + (":" if key.suffix else "") for key in DIRECTORY]
        self._of = {key.name: name for key, name in zip(DIRECTORY, self.directory, strict=True)}
        self.ledger = self._of["ledger"]
        self.campaigns = self._of["campaigns"]

    def of(self, name: str, *ids: object) -> str:
        """The key `name` with its ids appended; KeyError for a name that is not in DIRECTORY."""
        return self._of[name] + ":".join(str(part) for part in ids)

    def campaign(self, campaign: str) -> str:
        return self.of("campaign", campaign)

    def chunk(self, campaign: str, index: int) -> str:
        return self.of("chunk", campaign, index)

    def states(self, campaign: str, index: int) -> str:
        return self.of("states", campaign, index)

    def pin(self, profile_index: int, recipient: int) -> bytes:
        """The bucket of a person's pin."""
        return self.of("pin", profile_index, "").encode() + (recipient % PIN_BUCKETS).to_bytes(2, "big")
