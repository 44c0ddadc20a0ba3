"""What to send to whom: campaigns and chunks, decoded once and kept while they are in use; and each message's exact bytes."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from volley.campaign import Campaign
from volley.carrier.reference import sign, webhook_url
from volley.carrier.telnyx import body
from volley.errors import VolleyError
from volley.message import idempotency_key
from volley.outbox.chunks import Chunk, decode
from volley.outbox.flights import Grant
from volley.outbox.outbox import Outbox
from volley.text.template import Render, compile_template

CHUNKS = 512
CAMPAIGNS = 256


class Voice(NamedTuple):
    """A campaign and the renderer of its rows."""

    campaign: Campaign
    render: Render


Held = dict[tuple[str, int], tuple[Voice, Chunk]]
"""By campaign and chunk: what the messages of a flight need. A chunk that is gone is not in it."""


class Callback(NamedTuple):
    """Where receipts reach us, and the secret that signs each message's reference."""

    public_url: str
    account: str
    secret: bytes


class Texts:
    """Least recently used ones go first. `missing` counts grants whose chunk was gone, which must stay 0."""

    def __init__(self, outbox: Outbox, callback: Callback | None, *, chunks: int = CHUNKS) -> None:
        self._outbox = outbox
        self._callback = callback
        self._url = webhook_url(callback.public_url, callback.account, "") if callback else ""
        self._most = chunks
        self._chunks: OrderedDict[tuple[str, int], Chunk] = OrderedDict()
        self._voices: OrderedDict[str, Voice] = OrderedDict()

    async def fetch(self, grants: Iterable[Grant]) -> Held:
        """The texts of these grants, for the caller to hold: others may push them out here. Redis errors pass through."""
        wanted = {(grant.campaign, grant.chunk) for grant in grants}
        voices = {name: await self._voice(name) for name in {name for name, _ in wanted}}
        return {key: (voices[key[0]], chunk) for key, chunk in (await self._fetch_chunks(wanted)).items()}

    async def _fetch_chunks(self, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], Chunk]:
        found = {key: self._chunks[key] for key in wanted & self._chunks.keys()}
        absent = list(wanted - found.keys())
        if absent:
            blobs = await self._outbox.redis.mget([self._outbox.keys.chunk(*key) for key in absent])
            found |= {key: decode(blob) for key, blob in zip(absent, blobs, strict=True) if blob}
        self._chunks |= found
        for key in found:
            self._chunks.move_to_end(key)
        while len(self._chunks) > self._most:
            self._chunks.popitem(last=False)
        return found

    async def _voice(self, name: str) -> Voice:
        voice = self._voices.get(name)
        if voice is None:
            voice = self._voices[name] = await self._learn(name)
        self._voices.move_to_end(name)
        if len(self._voices) > CAMPAIGNS:
            self._voices.popitem(last=False)
        return voice

    async def _learn(self, name: str) -> Voice:
        view = await self._outbox.campaign(name)
        if view is None:
            raise VolleyError(f"campaign {name} has messages but no record: restore it, or cancel it")
        return Voice(view.campaign, compile_template(view.campaign.template).bind(view.campaign.columns))

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

    def request(self, grant: Grant, voice: Voice, chunk: Chunk, sender: str) -> tuple[bytes, str]:
        """(the exact bytes of the POST, its idempotency key): the same for the same message and generation."""
        _, name, _, index, offset, _, _, _, generation, to, _ = grant
        message = f"{name}-{index}-{offset}"
        url = None
        if self._callback is not None:
            url = self._url + sign(message, self._callback.secret)
        campaign, render = voice
        text = render([column[offset] for column in chunk.values])
        request = body(f"+{to}", sender, text, campaign.profile, webhook_url=url, encoding=campaign.encoding)
        return request, idempotency_key(message, generation)
