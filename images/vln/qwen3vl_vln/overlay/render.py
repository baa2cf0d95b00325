"""A JPEG and its scene to a JPEG that people look at."""

import numpy as np
import simplejpeg

from qwen3vl_vln.overlay.draw import draw
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Pixels, Writer

MOST_WIDTH, MOST_HEIGHT = 1280, 960
"""What a viewer gets at most; larger images are decoded at a fraction of their size."""
QUALITY = 80


BLACK_WIDTH, BLACK_HEIGHT = 640, 480


class DamagedImageError(ValueError):
    """The image cannot be decoded."""


def render(jpeg: bytes, scene: Scene, writer: Writer) -> bytes:
    """The image with its overlay; over black when it cannot be decoded, for the state is wanted then most of all."""
    try:
        image = decode(jpeg)
    except DamagedImageError:
        image = np.zeros((BLACK_HEIGHT, BLACK_WIDTH, 3), np.uint8)
    draw(image, scene, writer)
    return encode(image)


def decode(jpeg: bytes) -> Pixels:
    """The image (height x width x 3, blue-green-red), no larger than a viewer gets it.

    Raises:
        DamagedImageError: it cannot be decoded.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
        eighths = min(8, max(1, int(8 * min(MOST_WIDTH / width, MOST_HEIGHT / height))))
        if eighths < 8:
            least = {"min_height": height * eighths // 8, "min_width": width * eighths // 8, "min_factor": 1}
            image = simplejpeg.decode_jpeg(jpeg, "BGR", fastdct=True, fastupsample=True, **least)
        else:
            image = simplejpeg.decode_jpeg(jpeg, "BGR", fastdct=True, fastupsample=True)
    except ValueError as error:
        raise DamagedImageError(str(error)) from None
    return np.asarray(image, np.uint8)


def encode(image: Pixels) -> bytes:
    """An image as JPEG."""
    return bytes(simplejpeg.encode_jpeg(image, QUALITY, "BGR", "420", fastdct=True))
