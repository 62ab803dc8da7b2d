"""How a body is stored: compressed when that pays, as it is otherwise."""

import threading
from enum import IntEnum
from typing import NamedTuple

import zstandard

_WORTH_TRYING_BYTES = 128
_LEVEL = 3


class Codec(IntEnum):
    """Stored with every body; a number is never used again for another encoding."""

    PLAIN = 0
    ZSTD = 1


class Stored(NamedTuple):
    codec: Codec
    body: bytes


class _Compressors(threading.local):
    """zstd's objects belong to one thread at a time and are costly to make."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_mine = _Compressors()


def encode(body: bytes) -> Stored:
    """The smaller of *body* and its compressed form; a tenth must be saved to be worth it."""
    if len(body) >= _WORTH_TRYING_BYTES:
        compressed = _mine.compressor.compress(body)
        if len(compressed) <= len(body) * 0.9:
            return Stored(Codec.ZSTD, compressed)
    return Stored(Codec.PLAIN, body)


def decode(stored: Stored, *, size_bytes: int) -> bytes:
    """The body again, never more than *size_bytes* of memory for it.

    Raises:
        ValueError: It is not what ``encode`` made of a body of that size.
    """
    if stored.codec is Codec.PLAIN:
        return stored.body
    try:
        if zstandard.frame_content_size(stored.body) != size_bytes:
            raise ValueError("the stored body has another size")
        return _mine.decompressor.decompress(stored.body, max_output_size=size_bytes)
    except zstandard.ZstdError as error:
        raise ValueError(f"the stored body cannot be decompressed: {error}") from error
