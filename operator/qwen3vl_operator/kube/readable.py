"""A broken spec in the words of its fields."""

from pydantic import ValidationError


def readable(error: ValidationError, root: str = "spec") -> str:
    """Every field that is wrong, and what is wrong with it; `root` is what they are fields of."""
    found = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, (root, *item['loc'])))}: {item['msg']}" for item in found)
