"""The two sizes of a key frame that the model is shown: one for now, one for later. Pure, but slow: milliseconds."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from qwen3vl_vln.worker.context_budget import Size, image_token_count
from qwen3vl_vln.worker.keyframes import CorruptImageError

LARGE_PIXELS, SMALL_PIXELS = 640, 320
"""Of the longer side, at most."""
QUALITY = 85
MOST_BYTES_PER_PIXEL = 1.5
"""Of a JPEG that is kept as it came; a larger one holds something else than its image."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Image:
    """A JPEG and its width and height in pixels."""

    jpeg: bytes
    size: Size


@dataclass(frozen=True)
class KeyImage:
    """A key frame in both sizes; what is small enough already is the camera's own image."""

    large: Image
    small: Image


def small_already(jpeg: bytes) -> KeyImage | None:
    """A camera's image that needs no other size, by its header alone; None for another one.

    Raises:
        CorruptImageError: as `scaled`.
    """
    own = _own(jpeg)
    bare = len(jpeg) <= MOST_BYTES_PER_PIXEL * own.size[0] * own.size[1]
    return _counted(KeyImage(own, own)) if bare and max(own.size) <= SMALL_PIXELS else None


def scaled(jpeg: bytes) -> KeyImage:
    """Both sizes of a camera's image; none is larger than that.

    Raises:
        CorruptImageError: it cannot be decoded, or is so narrow that no model takes it.
    """
    if (images := small_already(jpeg)) is not None:
        return images
    own = _own(jpeg)
    try:
        wanted = size_within(own.size, LARGE_PIXELS if max(own.size) > LARGE_PIXELS else SMALL_PIXELS)
        pixels = simplejpeg.decode_jpeg(jpeg, colorspace="BGR", min_width=wanted[0], min_height=wanted[1], fastdct=True)
    except ValueError as error:
        raise CorruptImageError(str(error)) from None
    small = _encoded(pixels, size_within(own.size, SMALL_PIXELS))
    if small.size == own.size:
        return _counted(KeyImage(small, small))
    large = own if max(own.size) <= LARGE_PIXELS else _encoded(pixels, wanted)
    return _counted(KeyImage(large, small))


def size_within(size: Size, longest: int) -> Size:
    """The size of an image whose longer side is made no longer than that; never larger than it is."""
    share = min(1.0, longest / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _own(jpeg: bytes) -> Image:
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError as error:
        raise CorruptImageError(str(error)) from None
    return Image(jpeg, (width, height))


def _encoded(pixels: Pixels, size: Size) -> Image:
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    data = simplejpeg.encode_jpeg(
        np.ascontiguousarray(small, np.uint8), quality=QUALITY, colorspace="BGR", colorsubsampling="420"
    )
    return Image(data, size)


def _counted(images: KeyImage) -> KeyImage:
    """The same images, if the model can count them."""
    try:
        for one in (images.large, images.small):
            image_token_count(one.size)
    except ValueError as error:
        raise CorruptImageError(str(error)) from None
    return images
