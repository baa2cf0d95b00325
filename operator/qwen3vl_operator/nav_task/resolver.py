"""Names of VLN APIs are looked up in threads of their own: a name server that does not answer is felt by nobody else.

In the event loop's own few threads, some lookups that take ten seconds each would hold up whatever else runs there,
requests to the apiserver among it. These are daemons: the process ends without waiting for them."""

import asyncio
import contextlib
import socket
import threading
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

AT_ONCE = 64
"""Lookups at the same time; an API client asks for each name only once at a time."""


class Resolver(AbstractResolver):
    """The system's resolver, for aiohttp."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of that name.

        Raises:
            OSError: there are none, or nobody says.
        """
        async with self._turns:
            found = await _look_up(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _look_up(host: str, port: int, family: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def tell(found: list[Any] | OSError) -> None:
        if answer.done():
            return
        if isinstance(found, OSError):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: list[Any] | OSError
        try:
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        except OSError as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    return await answer
