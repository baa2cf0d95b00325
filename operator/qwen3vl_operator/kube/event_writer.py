"""temporary"""
from typing import Any


class EventWriter:
    def __init__(self, kube: Any, *, now: Any) -> None: ...
    async def emit(self, about: Any, *, type_: str, reason: str, message: str) -> None: ...
