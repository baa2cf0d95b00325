"""A broken spec in the words of its fields."""

from pydantic import ValidationError


def readable(error: ValidationError) -> str:
    """Every field that is wrong, and what is wrong with it."""
    found = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, ('spec', *item['loc'])))}: {item['msg']}" for item in found)
