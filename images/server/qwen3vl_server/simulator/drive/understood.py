"""What was worked out of a picture before is not worked out again: eight of the nine pictures of a request were in the
one before it. The results are the same with and without."""

from collections import OrderedDict
from functools import lru_cache

from ..vision import Pixels
from . import moved, sight

REMEMBERED = 64
_EVERY = 8
_pictures: "OrderedDict[bytes, sight.Picture]" = OrderedDict()

sighting = lru_cache(maxsize=REMEMBERED)(sight.look)
"""See `sight.look`."""
motion = lru_cache(maxsize=REMEMBERED)(moved.motion)
"""See `moved.motion`."""


def picture(pixels: Pixels) -> sight.Picture:
    """The picture of these pixels; every eighth in each direction tells two apart, for each has noise of its own."""
    key = pixels[::_EVERY, ::_EVERY].tobytes()
    known = _pictures.get(key)
    if known is None:
        known = _pictures[key] = sight.Picture.of(pixels)
        while len(_pictures) > REMEMBERED:
            _pictures.popitem(last=False)
    return known
