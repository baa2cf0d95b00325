"""What is checked of a picture before the answer: microseconds, no decoding. Deeper damage is found by the worker."""

START = b"\xff\xd8\xff"
END = b"\xff\xd9"
TAIL_BYTES = 64
"""Some cameras pad after the end marker."""
_FRAME_HEADERS = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_MOST_SEGMENTS = 64


def problem(data: bytes, *, max_bytes: int, max_pixels: int) -> str | None:
    """What is wrong with a JPEG, or None."""
    if not data.startswith(START):
        return "the picture is not a JPEG"
    if len(data) > max_bytes:
        return f"the picture has {len(data)} bytes; at most {max_bytes} are taken"
    if END not in data[-TAIL_BYTES:]:
        return "the picture is cut off"
    width, height = size(data)
    if not width or not height:
        return "the picture's header is damaged"
    if width * height > max_pixels:
        return f"the picture has {width}x{height} pixels; at most {max_pixels} are taken"
    return None


def size(data: bytes) -> tuple[int, int]:
    """Width and height by the frame header, (0, 0) when there is none."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return 0, 0
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0
