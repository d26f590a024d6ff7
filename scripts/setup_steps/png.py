"""PNG files (ISO/IEC 15948), without a library that a fresh machine would lack."""

import struct
import zlib

# By the number of channels: grey, RGB.
COLOUR_TYPES = {1: 0, 3: 2}


def png(pixels: bytes, width: int, channels: int) -> bytes:
    """An image of 8 bits a channel, its rows one after the other: a header, the rows unfiltered, an end."""
    stride = width * channels
    height = len(pixels) // stride
    rows = b"".join(b"\0" + pixels[stride * y : stride * (y + 1)] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
