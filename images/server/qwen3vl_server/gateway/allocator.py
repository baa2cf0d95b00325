"""How the C library holds freed memory: what a request needed goes to the next one, not to the kernel and back."""

import ctypes

KEPT_BYTES = 16 << 20
"""At the end of the heap: above it, memory is given back."""
MAPPED_BYTES = 1 << 20
"""A block of this size or more has pages of its own, which are given back when it is freed: a large body leaves no hole
behind."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of `mallopt`, see its manual page."""


def keep_freed_memory() -> bool:
    """Tell the C library; whether it took it. Without this every second request pays for pages that the one before gave
    back: a tenth of what a request costs."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, MAPPED_BYTES) and mallopt(_TRIM_THRESHOLD, KEPT_BYTES))
