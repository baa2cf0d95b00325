"""Pictures of a request: from the string that a client sent to its canonical form, without copying the data."""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Raw

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.image_tokens import image_tokens
from qwen3vl_common.media import InvalidPicture, Picture, picture
from qwen3vl_server.gateway.request.base64_data import check_base64
from qwen3vl_server.gateway.request.limits import SLICE_BYTES, Limits
from qwen3vl_server.gateway.request.skeleton import Body, Run, run_of
from qwen3vl_server.gateway.request.turns import Turns

PLACE = Raw(b"\x00")
"""Stands for a picture's URL in what is written for an engine: a byte that no JSON has."""
WINDOW_CHARACTERS = 1_024
"""Of base64: what is decoded at first. Most headers end within it."""
_HEAD = re.compile(r"data:image/[\w.+*-]+(?:;[\w.+-]+=[\w.+-]+)*;base64,", re.IGNORECASE | re.ASCII)
_RIGHT = "data:image/jpeg;base64,..."


@dataclass
class Pictures:
    """The pictures of one request, in order.

    Attributes:
        body: what the runs point into.
        found: (canonical head, data) of each picture.
        tokens: of all pictures.
        used: runs that were met.
    """

    body: Body
    runs: Sequence[Run]
    limits: Limits
    found: list[tuple[bytes, Body | memoryview]] = field(default_factory=list)
    tokens: int = 0
    pixels: int = 0
    used: set[int] = field(default_factory=set)
    _turns: Turns = field(default_factory=Turns)

    async def add(self, url: str, where: str) -> None:
        """Check a picture and take it.

        Args:
            where: the place of its part.

        Raises:
            InvalidRequest: not a data URL, not base64, not a picture, or too many pictures or pixels.
        """
        param = f"{where}.image_url.url"
        limits = self.limits
        if len(self.found) >= limits.max_images:
            raise InvalidRequest(
                f"the request has more than {limits.max_images} pictures", param="messages", code="too_many_images"
            )
        head = _HEAD.match(url)
        if head is None:
            raise _no_picture(url, param)
        number = run_of(url[head.end() :], self.runs)
        if number is None:
            body: Body = url[head.end() :].encode()
            run = Run(0, len(body), escaped=False)
        else:
            self.used.add(number)
            body, run = self.body, self.runs[number]
        await check_base64(body, run, param, self._turns)
        try:
            seen = picture(_Window(body, run).read)
        except InvalidPicture as error:
            raise InvalidRequest(str(error), param=param, code="invalid_image") from None
        self._count(seen, where)
        whole = run.start == 0 and run.end == len(body)
        self.found.append(
            (f'"data:image/{seen.kind};base64,'.encode(), body if whole else memoryview(body)[run.start : run.end])
        )

    def _count(self, seen: Picture, where: str) -> None:
        limits, pixels = self.limits, seen.width * seen.height
        if pixels > limits.max_image_pixels:
            raise InvalidRequest(
                f"the picture has {seen.width}x{seen.height} pixels; {limits.max_image_pixels} are accepted: "
                "scale it down",
                param=f"{where}.image_url.url",
                code="image_too_large",
            )
        self.pixels += pixels
        if self.pixels > limits.max_total_pixels:
            raise InvalidRequest(
                f"the pictures have more than {limits.max_total_pixels} pixels together: scale them down",
                param="messages",
                code="too_many_pixels",
            )
        try:
            self.tokens += image_tokens(seen.width, seen.height)
        except ValueError as error:
            raise InvalidRequest(str(error), param=where, code="invalid_image") from None


@dataclass(slots=True)
class _Window:
    """Reads a file by decoding only the base64 around what is asked for. The characters were checked before."""

    body: Body
    run: Run
    first: bytes = b""

    def __post_init__(self) -> None:
        run = self.run
        if run.escaped:
            # Places cannot be computed then; a header that is longer than this is refused as broken.
            text = bytes(self.body[run.start : min(run.end, run.start + SLICE_BYTES)]).replace(b"\\/", b"/")
            self.first = binascii.a2b_base64(text[: len(text) // 4 * 4])
        else:
            self.first = binascii.a2b_base64(self.body[run.start : min(run.end, run.start + WINDOW_CHARACTERS)])

    def read(self, offset: int, count: int) -> bytes:
        if offset + count <= len(self.first) or self.run.escaped:
            return self.first[offset : offset + count]
        start = self.run.start + offset // 3 * 4
        stop = min(self.run.end, start + (count // 3 + 2) * 4)
        if start >= stop:
            return b""
        skip = offset % 3
        return binascii.a2b_base64(self.body[start:stop])[skip : skip + count]


def _no_picture(url: str, param: str) -> InvalidRequest:
    if url[:5].lower() != "data:":
        scheme = url.split(":", 1)[0][:20] if ":" in url[:20] else "no scheme"
        return InvalidRequest(
            f"pictures come as data: URLs ({_RIGHT}), not by reference ({scheme!r})",
            param=param,
            code="unsupported_image_url",
        )
    return InvalidRequest(f"the data: URL of a picture is {_RIGHT}", param=param, code="invalid_image")
