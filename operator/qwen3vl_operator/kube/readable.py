"""A broken spec in the words of its fields."""

from pydantic import ValidationError


def readable(error: ValidationError) -> str:
    """Every field that is wrong, and what is wrong with it."""
    parts = [f"spec.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
    return "; ".join(parts)
