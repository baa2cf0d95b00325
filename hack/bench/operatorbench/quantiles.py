"""Small arithmetic of measurements. No I/O."""

import math
from collections.abc import Sequence


def quantile_ms(seconds: Sequence[float], share: float) -> float:
    """A quantile in milliseconds by nearest rank: at least this share of the values are not above it.

    Raises:
        ValueError: there are no values.
    """
    if not seconds:
        raise ValueError("a quantile of no values")
    rank = math.ceil(share * len(seconds))
    return round(1000 * sorted(seconds)[max(0, rank - 1)], 1)
