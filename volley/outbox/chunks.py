"""Chunk blobs: up to 500 messages in columns, msgpack under zstd, behind a version byte. Immutable once admitted."""

from dataclasses import dataclass

import msgpack
import zstandard

from volley.errors import VolleyError

VERSION = 2
READ = (1, VERSION)
"""Version 1 knew no MMS, and is else the same."""
SIZE = 500
"""Messages in a full chunk."""

ENCODINGS = ("GSM-7", "UCS-2", "MMS")
"""What a byte of `Chunk.encodings` means, in the carrier's spelling. An MMS is no text in parts: it has one part."""
MMS = ENCODINGS.index("MMS")

_MAX_BLOB = 64 << 20
_COMPRESS = zstandard.ZstdCompressor(level=3, write_content_size=True)
_DECOMPRESS = zstandard.ZstdDecompressor()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Columns of equal length, one place a message.

    `to`: E.164 digits as integers. `references`: the producer's own ids, or None where it gave none at all.
    `values`: one list of strings a template variable, in the order of `Campaign.columns`; None where the row had none.
    `parts`, `encodings`: one byte each (encodings: index into ENCODINGS). `estimates`: micro-units, -1 where no price is known.
    """

    to: list[int]
    references: list[str | None] | None
    values: list[list[str | None]]
    parts: bytes
    encodings: bytes
    estimates: list[int]

    def __len__(self) -> int:
        return len(self.to)

    def row(self, offset: int) -> list[str | None]:
        """The template's values for one message."""
        return [column[offset] for column in self.values]


def encode(chunk: Chunk) -> bytes:
    """Of version 1 where it holds no MMS, so that machines that are updated later can read it too."""
    columns = (chunk.to, chunk.references, chunk.values, chunk.parts, chunk.encodings, chunk.estimates)
    version = VERSION if MMS in chunk.encodings else READ[0]
    return bytes((version,)) + _COMPRESS.compress(msgpack.packb(columns))


def decode(blob: bytes) -> Chunk:
    """Raises VolleyError for a version that this release does not know."""
    if blob[0] not in READ:
        raise VolleyError(
            f"a chunk is of version {blob[0]}, this release reads up to {VERSION}: update Volley on this machine"
        )
    return Chunk(*msgpack.unpackb(_DECOMPRESS.decompress(blob[1:], max_output_size=_MAX_BLOB)))
