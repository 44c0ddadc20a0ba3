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

    async def fetch(self, grants: Iterable[Grant]) -> None:
        """Makes the campaigns and chunks of these grants available. Redis errors pass through."""
        wanted = {(grant.campaign, grant.chunk) for grant in grants}
        for key in wanted & self._chunks.keys():
            self._chunks.move_to_end(key)
        absent = list(wanted - self._chunks.keys())
        if absent:
            blobs = await self._outbox.redis.mget([self._outbox.keys.chunk(*key) for key in absent])
            self._chunks |= {key: decode(blob) for key, blob in zip(absent, blobs, strict=True) if blob}
        for name in {name for name, _ in wanted}:
            if name not in self._voices:
                await self._learn(name)
            self._voices.move_to_end(name)
        # what this flight needs stays, however much that is
        while len(self._chunks) > max(self._most, len(wanted)):
            self._chunks.popitem(last=False)

    async def _learn(self, name: str) -> None:
        view = await self._outbox.campaign(name)
        if view is None:
            raise VolleyError(f"campaign {name} has messages but no record: restore it, or cancel it")
        self._voices[name] = Voice(view.campaign, compile_template(view.campaign.template).bind(view.campaign.columns))
        if len(self._voices) > CAMPAIGNS:
            self._voices.popitem(last=False)

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

    def of(self, grant: Grant) -> tuple[Voice, Chunk] | None:
        """The campaign and chunk of a grant that was fetched; None for a chunk that is gone."""
        chunk = self._chunks.get((grant.campaign, grant.chunk))
        return None if chunk is None else (self._voices[grant.campaign], chunk)

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
