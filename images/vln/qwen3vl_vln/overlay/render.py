"""A JPEG and its scene to a JPEG that people look at."""

import numpy as np
import simplejpeg

from qwen3vl_vln.overlay.draw import draw
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Pixels, Writer

MOST_WIDTH, MOST_HEIGHT = 1280, 960
"""What a viewer gets at most; larger pictures are decoded at a fraction of their size."""
QUALITY = 80


BLACK_WIDTH, BLACK_HEIGHT = 640, 480


class DamagedPictureError(ValueError):
    """The picture cannot be decoded."""


def render(jpeg: bytes, scene: Scene, writer: Writer) -> bytes:
    """The picture with its overlay; over black when it cannot be decoded, for the state is wanted then most of all."""
    try:
        picture = decode(jpeg)
    except DamagedPictureError:
        picture = np.zeros((BLACK_HEIGHT, BLACK_WIDTH, 3), np.uint8)
    draw(picture, scene, writer)
    return encode(picture)


def decode(jpeg: bytes) -> Pixels:
    """The picture (height x width x 3, blue-green-red), no larger than a viewer gets it.

    Raises:
        DamagedPictureError: it cannot be decoded.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
        eighths = min(8, max(1, int(8 * min(MOST_WIDTH / width, MOST_HEIGHT / height))))
        if eighths < 8:
            least = {"min_height": height * eighths // 8, "min_width": width * eighths // 8, "min_factor": 1}
            picture = simplejpeg.decode_jpeg(jpeg, "BGR", fastdct=True, fastupsample=True, **least)
        else:
            picture = simplejpeg.decode_jpeg(jpeg, "BGR", fastdct=True, fastupsample=True)
    except ValueError as error:
        raise DamagedPictureError(str(error)) from None
    return np.asarray(picture, np.uint8)


def encode(picture: Pixels) -> bytes:
    """A picture as JPEG."""
    return bytes(simplejpeg.encode_jpeg(picture, QUALITY, "BGR", "420", fastdct=True))
