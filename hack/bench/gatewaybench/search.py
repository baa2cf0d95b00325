"""The highest rate that is kept up, found with few probes."""

from collections.abc import Awaitable, Callable

REFINEMENTS = 3


async def highest_rate(
    keeps_up: Callable[[float], Awaitable[bool]], known: float, most: float, refinements: int = REFINEMENTS
) -> float:
    """Double the rate until it is not kept up, then halve the interval between, as a ratio.

    Args:
        keeps_up: a probe of a rate.
        known: a rate that is kept up.
        most: no higher one is tried.

    Returns:
        A rate that was kept up. The true highest is at most 2 ** (1 / 2 ** refinements) times that, or above `most`.
    """
    good, bad = known, None
    while bad is None and good < most:
        rate = min(2 * good, most)
        if await keeps_up(rate):
            good = rate
        else:
            bad = rate
    for _ in range(refinements if bad is not None else 0):
        assert bad is not None
        rate = (good * bad) ** 0.5
        if await keeps_up(rate):
            good = rate
        else:
            bad = rate
    return good
