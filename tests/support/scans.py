"""JPEGs of many scans: small as bytes, long to decode (T.81 G.1: each coefficient bit by bit, in a scan of its own)."""

import struct

import cv2
import numpy as np

RUN = 1 << 14
"""Blocks without a coefficient that one symbol tells of."""
COMPONENTS = (1, 2, 3)
BITS = 14


def progressive(width: int, height: int) -> bytes:
    """A picture as an encoder writes it that sends a coarse one first: ten scans."""
    rows, columns = np.indices((height, width))
    pixels = ((rows + columns) // 4 % 256).astype(np.uint8)
    colours = np.dstack((pixels, pixels[::-1], pixels[:, ::-1]))
    done, data = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 30])
    assert done
    return data.tobytes()


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A grey picture that a decoder goes over so many times, and finds nothing wrong with; at most 2,647 times."""
    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(bytes((each, 0x11, 0)) for each in COMPONENTS)
    one_symbol = bytes((1, *[0] * 15))
    parts = [
        b"\xff\xd8",
        _segment(0xDB, bytes((0, *[1] * 64))),
        _segment(0xC2, frame),
        _segment(0xC4, b"\x00" + one_symbol + b"\x00"),
        _segment(0xC4, b"\x10" + one_symbol + b"\xe0"),
        _scan(COMPONENTS, 0, 0, 0) + _packed("0" * blocks * len(COMPONENTS)),
    ]
    for component in COMPONENTS:
        for coefficient in range(1, 64):
            for low in reversed(range(BITS)):
                if len(parts) < 5 + scans:
                    high = 0 if low == BITS - 1 else low + 1
                    parts.append(_scan((component,), coefficient, high, low) + _packed(_empty(blocks)))
    return b"".join(parts) + b"\xff\xd9"


def _segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(content) + 2) + content


def _scan(components: tuple[int, ...], coefficient: int, high: int, low: int) -> bytes:
    tables = b"".join(bytes((each, 0)) for each in components)
    return _segment(0xDA, bytes((len(components),)) + tables + bytes((coefficient, coefficient, high << 4 | low)))


def _empty(blocks: int) -> str:
    """Bits for so many blocks without a coefficient."""
    assert blocks % RUN == 0, "a picture of 1024 x 1024 is one such run"
    return ("0" + "0" * 14) * (blocks // RUN)


def _packed(bits: str) -> bytes:
    padded = bits + "1" * (-len(bits) % 8)
    return bytes(int(padded[at : at + 8], 2) for at in range(0, len(padded), 8)).replace(b"\xff", b"\xff\x00")
