"""The media of an MMS, looked at before anything is accepted: is it there, and is it small enough for the carrier?"""

import asyncio
from collections.abc import Sequence

from aiohttp import ClientError, ClientSession, ClientTimeout

from volley.errors import UnusableInput

MAX_BYTES = 1_000_000
MAX_TRANSCODED_BYTES = 5_000_000
"""All media of a message together (Telnyx, MMS limits); the second where the profile has mms_transcoding on."""
_TIMEOUT_S = 5.0
_REDIRECTS = 3
_GONE = (404, 410)


async def weigh(media: Sequence[str], *, transcoding: bool) -> tuple[str, ...]:
    """Asks for the size of each (HEAD, 5 s at most); what could not be learned comes back as notes.

    Raises:
        UnusableInput: one is not there, or together they are larger than the carrier takes.
    """
    timeout = ClientTimeout(total=_TIMEOUT_S)
    async with ClientSession(timeout=timeout) as session:
        sizes = await asyncio.gather(*(_size(session, url) for url in media))
    most = MAX_TRANSCODED_BYTES if transcoding else MAX_BYTES
    known = sum(size for size in sizes if size is not None)
    if known >= most:
        raise UnusableInput(
            f"the media have {known} bytes and must stay below {most}: make them smaller"
            + ("" if transcoding else ", or let the profile transcode (mms_transcoding)")
        )
    unknown = sizes.count(None)
    return (
        (f"the size of {unknown} of {len(media)} media is not known: the carrier may refuse them",) if unknown else ()
    )


async def _size(session: ClientSession, url: str) -> int | None:
    try:
        async with session.head(url, allow_redirects=True, max_redirects=_REDIRECTS) as answer:
            if answer.status in _GONE:
                raise UnusableInput(
                    f"media {url[:80]} is not there (HTTP {answer.status}); --no-media-check sends it unseen"
                )
            length = answer.headers.get("Content-Length", "")
            return int(length) if answer.status == 200 and length.isdecimal() else None
    except (ClientError, TimeoutError, OSError, ValueError):
        return None
