"""What is checked of an image before the answer: microseconds, no decoding. Deeper damage is found by the worker.

A header is read as the decoder reads it; where it would go on over what is odd, the image counts as damaged, so that
the two cannot see different images in the same bytes (T.81 B.1.1.2, B.2)."""

from dataclasses import dataclass

START = b"\xff\xd8\xff"
END = b"\xff\xd9"
TAIL_BYTES = 64
"""Some cameras pad after the end marker."""
SCANS_MOST = 12
"""A progressive image has ten. Each is a pass over the whole image, and takes but ten bytes."""
_FRAME_HEADERS = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_SEQUENTIAL = frozenset((0xC0, 0xC1))
_SCAN, _SCAN_MARKER = 0xDA, b"\xff\xda"
_FIRST_SEGMENT = 0xC0
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xDA))
_MOST_SEGMENTS = 64
_MOST_FILL_BYTES = 64


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the first scan.

    Attributes:
        one_scan: a decoder takes the first scan for the whole image.
        scan_at: where that begins; 0 when there is none.
    """

    width: int = 0
    height: int = 0
    one_scan: bool = False
    scan_at: int = 0


def problem(data: bytes, *, max_bytes: int, max_pixels: int) -> str | None:
    """What is wrong with a JPEG, or None."""
    if not data.startswith(START):
        return "the picture is not a JPEG"
    if len(data) > max_bytes:
        return f"the picture has {len(data)} bytes; at most {max_bytes} are taken"
    if END not in data[-TAIL_BYTES:]:
        return "the picture is cut off"
    found = header(data)
    if not found.width or not found.height:
        return "the picture's header is damaged"
    if found.width * found.height > max_pixels:
        return f"the picture has {found.width}x{found.height} pixels; at most {max_pixels} are taken"
    if not found.scan_at:
        return "the picture's header is damaged"
    # Between scans, too, the two bytes are nothing else than that marker; what cameras embed stands before the first.
    if not found.one_scan and data.count(_SCAN_MARKER, found.scan_at) > SCANS_MOST:
        return f"the picture has more than {SCANS_MOST} scans; send it baseline, or progressive as encoders write it"
    return None


def size(data: bytes) -> tuple[int, int]:
    """Width and height by the frame header, (0, 0) when there is none."""
    found = header(data)
    return found.width, found.height


def header(data: bytes) -> Header:
    """What a decoder finds before the first scan; what it found so far where the rest is damaged."""
    width = height = components = 0
    sequential = False
    at, end, fill = 2, len(data) - 9, _MOST_FILL_BYTES
    for _ in range(_MOST_SEGMENTS):
        while at < end and fill and data[at] == data[at + 1] == 0xFF:
            at, fill = at + 1, fill - 1
        if at > end or data[at] != 0xFF:
            break
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker < _FIRST_SEGMENT or marker == 0xFF or marker in _WITHOUT_LENGTH or length < 2:
            break
        if marker in _FRAME_HEADERS:
            if components:
                return Header()
            height, width = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            components, sequential = data[at + 9] if at + 9 < len(data) else 0, marker in _SEQUENTIAL
        elif marker == _SCAN:
            return Header(width, height, one_scan=sequential and data[at + 4] == components > 0, scan_at=at)
        at += 2 + length
    return Header(width, height)
