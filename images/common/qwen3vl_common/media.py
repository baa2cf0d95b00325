"""Whether a picture in a request may be handed on: form, size and kind, from its header alone. No decoding."""

import base64
import binascii
import io
from dataclasses import dataclass

import imagesize

from qwen3vl_common.errors import InvalidRequest

_MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
KINDS = "JPEG, PNG, WebP or GIF"
PREFIX_CHARACTERS = 8_192
"""Of the base64 text; a multiple of 4. Nearly every header ends within it, and decoding it all costs more than all else
that is done with a request."""
LONGEST_MEDIA_TYPE = 200


@dataclass(frozen=True)
class Picture:
    """A picture as its header describes it: kind, and sides in pixels."""

    kind: str
    width: int
    height: int


def kind_of(content: bytes) -> str | None:
    """jpeg, png, gif, webp, or None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in _MAGIC if content.startswith(magic)), None)


def picture_from_url(url: object, *, param: str, max_pixels: int) -> Picture:
    """The picture of a `data:` URL.

    Args:
        param: where in the request it stands, for the error.
        max_pixels: width times height that is still accepted.

    Raises:
        InvalidRequest: not a data URL, not a picture, or too many pixels. Whether all the rest is sound shows when an
            engine decodes it.
    """
    if not isinstance(url, str):
        raise InvalidRequest("the URL of a picture is a string", param=param)
    if url[:5].lower() != "data:":
        scheme = url.split(":", 1)[0][:20] if ":" in url[:20] else "no scheme"
        raise InvalidRequest(
            f"pictures come as data: URLs (data:image/jpeg;base64,...), not by reference ({scheme})",
            param=param,
            code="unsupported_image_url",
        )
    comma = url.find(",", 0, LONGEST_MEDIA_TYPE)
    if comma < 0 or not url[:comma].lower().endswith(";base64"):
        raise InvalidRequest("a data: URL of a picture is data:image/...;base64,...", param=param, code="invalid_image")
    start = comma + 1
    kind, (width, height) = _header(url[start : start + PREFIX_CHARACTERS], param)
    if width <= 0 and len(url) > start + PREFIX_CHARACTERS:
        # A JPEG may carry a long profile or a preview before its size.
        kind, (width, height) = _header(url[start:], param)
    if width <= 0 or height <= 0:
        raise InvalidRequest(f"the header of this {kind} picture is broken", param=param, code="invalid_image")
    if width * height > max_pixels:
        raise InvalidRequest(
            f"the picture has {width}x{height} pixels; {max_pixels} are accepted: scale it down",
            param=param,
            code="image_too_large",
        )
    return Picture(kind, width, height)


def _header(text: str, param: str) -> tuple[str, tuple[int, int]]:
    """Kind and sides; sides that the text does not hold are -1."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("the picture's data is not base64", param=param, code="invalid_image") from None
    kind = kind_of(content)
    if kind is None:
        raise InvalidRequest(f"the data is no picture that is known here: {KINDS}", param=param, code="invalid_image")
    try:
        width, height = imagesize.get(io.BytesIO(content))
    except Exception:  # noqa: BLE001 - the library promises nothing about broken headers
        return kind, (-1, -1)
    return kind, (int(width), int(height))
