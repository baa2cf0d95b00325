"""Kind and size of a picture by its header alone, read so that a decoder cannot see another size. No decoding.

A reader gives bytes at any place, so that whoever holds base64 decodes the few pieces that are asked for. Where a file
could be read in two ways (a second size in its header, a frame outside its canvas) it is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from struct import unpack_from

KINDS = "JPEG, PNG, WebP or GIF"
MAX_SEGMENTS = 2_000
"""Of a header: segments, chunks or blocks. Cameras write some dozens."""

Read = Callable[[int, int], bytes]
"""(offset, count) → that many bytes of the file, fewer at its end."""

_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})


class InvalidPicture(ValueError):
    """The data is no picture that is taken; the message is for its sender."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as its header describes it: kind, and sides in pixels. Of an animation: its canvas."""

    kind: str
    width: int
    height: int


def picture(read: Read) -> Picture:
    """The picture that a file holds.

    Raises:
        InvalidPicture: another kind of file, or a broken or ambiguous header.
    """
    start = read(0, 16)
    if start[:3] == b"\xff\xd8\xff":
        kind, size = "jpeg", _jpeg(read)
    elif start[:8] == b"\x89PNG\r\n\x1a\n":
        kind, size = "png", _png(read)
    elif start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        kind, size = "webp", _webp(read, start[12:16])
    elif start[:6] in (b"GIF87a", b"GIF89a"):
        kind, size = "gif", _gif(read)
    else:
        raise InvalidPicture(f"the data is no picture that is known here: {KINDS}")
    if size is None or 0 in size:
        raise InvalidPicture(f"the header of this {kind} picture is broken")
    return Picture(kind, *size)


def _jpeg(read: Read) -> tuple[int, int] | None:
    """Sides by the only frame header before the first scan."""
    size, offset = None, 2
    for _ in range(MAX_SEGMENTS):
        head = read(offset, 9)
        if len(head) < 4 or head[0] != 0xFF:
            return None
        marker = head[1]
        if marker == 0xFF:  # a fill byte
            offset += 1
            continue
        length = head[2] << 8 | head[3]
        if marker in _WITHOUT_LENGTH or length < 2:
            return None
        if marker in _SOF:
            if size is not None:
                raise InvalidPicture("this JPEG picture has two sizes in its header")
            if len(head) < 9:
                return None
            size = head[7] << 8 | head[8], head[5] << 8 | head[6]
        elif marker == 0xDA:
            return size
        offset += 2 + length
    return None


def _png(read: Read) -> tuple[int, int] | None:
    """Sides by the header chunk: the first, and the only one before the pixels."""
    head = read(8, 17)
    if len(head) < 17 or head[:8] != b"\x00\x00\x00\x0dIHDR":
        return None
    size: tuple[int, int] = unpack_from(">II", head, 8)
    offset = 8 + 12 + 13
    for _ in range(MAX_SEGMENTS):
        head = read(offset, 8)
        if len(head) < 8 or head[4:] == b"IDAT":
            # What an engine makes of a file without pixels is its own matter.
            return size if max(size) < 1 << 31 else None
        if head[4:] == b"IHDR":
            raise InvalidPicture("this PNG picture has two sizes in its header")
        offset += 12 + int.from_bytes(head[:4])
    return None


def _gif(read: Read) -> tuple[int, int] | None:
    """Sides of the canvas; the first frame must lie within it, for decoders would make it larger."""
    head = read(6, 7)
    if len(head) < 7:
        return None
    size: tuple[int, int] = unpack_from("<HH", head)
    offset = 13 + (3 << (head[4] & 7) + 1 if head[4] & 0x80 else 0)
    inside = False
    # Blocks and the pieces inside of them have one bound: each of many blocks could have as many pieces again.
    for _ in range(2 * MAX_SEGMENTS):
        if inside:
            length = read(offset, 1)
            inside = length not in (b"", b"\x00")
            offset += 1 + (length[0] if inside else 0)
            continue
        block = read(offset, 9)
        if block[:1] == b"\x2c" and len(block) == 9:
            left, top, width, height = unpack_from("<HHHH", block, 1)
            if left + width > size[0] or top + height > size[1]:
                raise InvalidPicture("a frame of this GIF picture lies outside its canvas")
            return size
        if block[:1] != b"\x21":
            return None
        inside, offset = True, offset + 2
    return None


def _webp(read: Read, chunk: bytes) -> tuple[int, int] | None:
    """Sides by the first chunk: a lossy or lossless frame, or the canvas of the extended form."""
    data = read(20, 10)
    if len(data) < 10:
        return None
    if chunk == b"VP8 " and data[3:6] == b"\x9d\x01\x2a" and not data[0] & 1:
        width, height = unpack_from("<HH", data, 6)
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L" and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    return None
