"""What to send to whom: campaigns and chunks, decoded once and kept while they are in use; and each message's exact bytes."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from volley.campaign import Campaign
from volley.carrier.endpoint import Endpoint, Endpoints, Form, form
from volley.carrier.reference import sign, webhook_url
from volley.carrier.telnyx import written
from volley.errors import VolleyError
from volley.message import idempotency_key
from volley.outbox.chunks import MMS, Chunk, decode
from volley.outbox.flights import Grant
from volley.outbox.outbox import Outbox
from volley.outbox.pool import Member
from volley.text.media import with_links
from volley.text.template import Render, renderer

CHUNKS = 512
CAMPAIGNS = 256

K = TypeVar("K")
V = TypeVar("V")


class Voice(NamedTuple):
    """A campaign, the renderer of its rows, and by sender what its POSTs have in common: those of texts, those of MMS."""

    campaign: Campaign
    render: Render
    texts: dict[int, Form]
    mms: dict[int, Form]


Held = dict[tuple[str, int], tuple[Voice, Chunk]]
"""By campaign and chunk: what the messages of a flight need. A chunk that is gone is not in it."""


class Callback(NamedTuple):
    """Where receipts reach us, and where else if they do not; and the secret that signs each message's reference."""

    public_url: str
    account: str
    secret: bytes
    failover_url: str = ""


class Texts:
    """Least recently used ones go first. `missing` counts grants whose chunk was gone, which must stay 0."""

    def __init__(
        self, outbox: Outbox, callback: Callback | None, *, chunks: int = CHUNKS, endpoints: Endpoints = "general"
    ) -> None:
        self._outbox = outbox
        self._callback = callback
        self._endpoints = endpoints
        self._url = webhook_url(callback.public_url, callback.account, "") if callback else ""
        failover = callback.failover_url if callback else ""
        self._failover_url = webhook_url(failover, callback.account, "", failover=True) if callback and failover else ""
        self._most = chunks
        self._chunks: OrderedDict[tuple[str, int], Chunk] = OrderedDict()
        self._voices: OrderedDict[str, Voice] = OrderedDict()
        self._plain: dict[tuple[str, str], dict[int, Form]] = {}

    async def fetch(self, grants: Iterable[Grant]) -> Held:
        """The texts of these grants, for the caller to hold: others may push them out here. Redis errors pass through.

        What is not known here comes in one step, of however many campaigns it is.
        """
        wanted = {(grant.campaign, grant.chunk) for grant in grants}
        names = {name for name, _ in wanted}
        chunks = {key: self._chunks[key] for key in wanted & self._chunks.keys()}
        voices = {name: self._voices[name] for name in names & self._voices.keys()}
        absent, unheard = [*(wanted - chunks.keys())], [*(names - voices.keys())]
        if absent or unheard:
            blobs, metas = await self._read(absent, unheard)
            chunks |= {key: decode(blob) for key, blob in zip(absent, blobs, strict=True) if blob}
            voices |= {name: self._voice_of(name, meta) for name, meta in zip(unheard, metas, strict=True)}
        self._keep(self._chunks, chunks, self._most)
        self._keep(self._voices, voices, CAMPAIGNS)
        return {key: (voices[key[0]], chunk) for key, chunk in chunks.items()}

    async def _read(
        self, chunks: list[tuple[str, int]], campaigns: list[str]
    ) -> tuple[list[bytes | None], list[bytes | None]]:
        keys, pipeline = self._outbox.keys, self._outbox.redis.pipeline(transaction=False)
        for name in campaigns:
            pipeline.execute_command("HGET", keys.campaign(name), "meta")
        for key in chunks:
            pipeline.execute_command("GET", keys.chunk(*key))
        found = await pipeline.execute()
        return found[len(campaigns) :], found[: len(campaigns)]

    @staticmethod
    def _keep(held: OrderedDict[K, V], used: Mapping[K, V], most: int) -> None:
        held |= used
        for key in used:
            held.move_to_end(key)
        while len(held) > most:
            held.popitem(last=False)

    def _voice_of(self, name: str, meta: bytes | None) -> Voice:
        if meta is None:
            raise VolleyError(f"campaign {name} has messages but no record: restore it, or cancel it")
        campaign = Campaign.from_json(meta)
        return Voice(campaign, renderer(campaign.template, campaign.columns), self._forms(campaign), {})

    def _forms(self, campaign: Campaign) -> dict[int, Form]:
        """Of texts. Campaigns that differ in nothing but their texts share them: there may be many, with many senders."""
        if campaign.media or campaign.send_at_us:
            return {}
        return self._plain.setdefault((campaign.profile, campaign.encoding), {})

    async def chunk(self, campaign: str, index: int) -> Chunk | None:
        """One chunk, for planning; it will be wanted again soon."""
        key = (campaign, index)
        if key not in self._chunks:
            blob = await self._outbox.redis.get(self._outbox.keys.chunk(*key))
            if blob is None:
                return None
            self._chunks[key] = decode(blob)
        return self._chunks[key]

    def priority(self, campaign: str) -> str:
        """u or b; b for a campaign not seen here yet."""
        voice = self._voices.get(campaign)
        return voice.campaign.priority[0] if voice else "b"

    def request(self, grant: Grant, voice: Voice, chunk: Chunk, member: Member) -> tuple[bytes, str, Endpoint]:
        """(the exact bytes of the POST, its idempotency key, its endpoint): the same for the same message and generation."""
        _, name, index_of_sender, index, offset, _, _, _, generation, to, _ = grant
        message = f"{name}-{index}-{offset}"
        url, failover = None, ""
        if self._callback is not None:
            reference = sign(message, self._callback.secret)
            url = self._url + reference
            if self._failover_url:
                failover = self._failover_url + reference
        text = voice.render([column[offset] for column in chunk.values])
        found = voice.texts.get(index_of_sender)
        if found is None or voice.campaign.media:
            found, text = self._form(grant, voice, chunk, member, text)
        request = written(found.fields.copy(), f"+{to}", text, url, failover)
        return request, idempotency_key(message, generation), found.endpoint

    def _form(self, grant: Grant, voice: Voice, chunk: Chunk, member: Member, text: str) -> tuple[Form, str]:
        """The first time for a sender, and always where some are MMS and some, with links in their text, are not."""
        campaign, mms = voice.campaign, chunk.encodings[grant.offset] == MMS
        known = voice.mms if mms else voice.texts
        found = known.get(grant.sender)
        if found is None:
            found = form(campaign, member.number, member.type, mms=mms, endpoints=self._endpoints)
            known[grant.sender] = found
        return found, with_links(text, campaign.media) if campaign.media and not mms else text
