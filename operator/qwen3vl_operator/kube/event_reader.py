"""temporary"""
import asyncio
from typing import Any, Generic, TypeVar

K = TypeVar("K")
class EventReader(Generic[K]):
    def __init__(self, kube: Any, *, notify: Any) -> None: ...
    def want(self, *a: Any) -> None: ...
    def notes(self, *a: Any) -> tuple[Any, ...]: return ()
    async def run(self) -> None: await asyncio.Event().wait()
