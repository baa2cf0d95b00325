"""Random ids that nobody has: one that is taken is drawn again, however unlikely that is. Pure but for the drawing.

Two tasks of one id would be one: stopping the first would end the second. So would two writers of one name."""

from collections.abc import Callable

from qwen3vl_vln.errors import NoUnusedIdError

DRAWS = 16
"""Of a source that works, not even the second is ever needed."""


def unused(what: str, draw: Callable[[], str], taken: Callable[[str], bool]) -> str:
    """The first id drawn that is not taken.

    Args:
        what: it is for, as in "task".

    Raises:
        NoUnusedIdError: see there.
    """
    for _ in range(DRAWS):
        drawn = draw()
        if not taken(drawn):
            return drawn
    raise NoUnusedIdError(
        f"{DRAWS} random ids for a {what} were drawn and each is taken: the system's random source repeats itself"
    )
