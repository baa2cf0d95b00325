"""From a `data:` URL to pixels, in two steps: size and kind from the header first, so that nothing large is decoded."""

import base64
import binascii
import io
import math
import re
from dataclasses import dataclass

import cv2
import imagesize
import numpy as np
import numpy.typing as npt

from .errors import BadRequestError

Pixels = npt.NDArray[np.uint8]
MAX_PIXELS = 33_554_432
WORKING_PIXELS = 512 * 512
"""How many pixels are looked at; larger pictures are decoded smaller, which also keeps memory small."""
_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
_DATA_URL = re.compile(r"data:image/[\w.+-]+(?:;[\w=.+-]+)*;base64,", re.IGNORECASE)
# What a whole file of these kinds ends with; decoders fill up a truncated one in silence.
_ENDS = {b"\xff\xd8\xff": b"\xff\xd9", b"\x89PNG": b"IEND"}


@dataclass(frozen=True)
class Picture:
    """An encoded picture whose header was read: sides in pixels."""

    data: bytes
    width: int
    height: int
    param: str


def from_data_url(url: str, *, param: str, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture of a `data:image/...;base64,` URL, not decoded yet. `param` is its place in the request.

    Raises:
        BadRequestError: another kind of URL, broken base64, an unknown or truncated format, more pixels than allowed.
    """
    found = _DATA_URL.match(url[:256])
    if not found:
        raise BadRequestError("a picture is given as data:image/...;base64,...; nothing is fetched by URL", param=param)
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequestError("the picture's base64 is broken", param=param, code="invalid_image") from None
    width, height = _size(data)
    if width <= 0 or height <= 0:
        raise BadRequestError("the data is not a picture of a known format", param=param, code="invalid_image")
    if width * height > max_pixels:
        raise BadRequestError(
            f"the picture has {width}x{height} pixels; at most {max_pixels} are decoded",
            param=param,
            code="image_too_large",
        )
    for start, end in _ENDS.items():
        if data.startswith(start) and end not in data[-4096:]:
            raise BadRequestError("the picture is truncated", param=param, code="invalid_image")
    return Picture(data, width, height, param)


def _size(data: bytes) -> tuple[int, int]:
    try:
        width, height = imagesize.get(io.BytesIO(data))
    except Exception:  # noqa: BLE001 - a header parser on hostile bytes: whatever it trips over, it is no picture
        return 0, 0
    return int(width), int(height)


def decode(picture: Picture) -> Pixels:
    """Pixels as height x width x 3, blue-green-red, `WORKING_PIXELS` or fewer. Takes milliseconds.

    Raises:
        BadRequestError: the decoder cannot read it.
    """
    too_large = picture.width * picture.height / WORKING_PIXELS
    flag = next((flag for factor, flag in _REDUCED if too_large >= factor**2), cv2.IMREAD_COLOR)
    try:
        pixels = cv2.imdecode(np.frombuffer(picture.data, np.uint8), flag)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise BadRequestError("the picture cannot be decoded", param=picture.param, code="invalid_image")
    scale = math.sqrt(WORKING_PIXELS / (pixels.shape[0] * pixels.shape[1]))
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0]))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(pixels, np.uint8)
