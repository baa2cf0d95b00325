"""temporary"""

from typing import Any


def events_wanted(*a: Any) -> list[Any]:
    return []


def waiting_titles(*a: Any) -> list[Any]:
    return []
