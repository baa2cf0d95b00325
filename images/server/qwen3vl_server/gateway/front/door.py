"""Who stands behind the front: what it asks of whoever answers the requests for engines."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qwen3vl_common.errors import ApiError, PathNotFound

if TYPE_CHECKING:
    from qwen3vl_server.gateway.front.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Head:
    """A request before its body.

    Attributes:
        path: decoded, without the query.
        headers: lower-case names; of a repeated one the last. A repeated Authorization, Host, Content-Length or
            Transfer-Encoding never comes here, nor a trailer.
        length: of the body in bytes; None: chunked.
        address: the peer's.
    """

    method: str
    path: str
    headers: Mapping[bytes, bytes]
    length: int | None
    address: str


class Door(Protocol):
    """Answers requests for engines.

    Attributes:
        paths: a POST to one of these comes here and never to the ASGI application.
    """

    @property
    def paths(self) -> Collection[str]: ...

    def admit(self, head: Head) -> Hashable:
        """The client whose share of bytes in flight the body counts for. Asked before any of the body is read.

        Raises:
            ApiError: told to the client instead of reading its body.
        """
        ...

    def refused(self, error: ApiError, headers: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, bytes]]:
        """The front answers a request, for whomever it was, with this error.

        Args:
            headers: of the request, as far as it was read.

        Returns:
            Header fields of the answer beside the error's own.
        """
        ...

    async def answer(self, exchange: "Exchange") -> None:
        """Answer one request: a task of its own, begun when the body is complete."""
        ...


class NoDoor:
    """For a port where every request is for the application: the front's limits without engines behind it."""

    paths: Collection[str] = ()

    def admit(self, head: Head) -> Hashable:
        """Nobody."""
        raise PathNotFound(f"{head.path} leads to no engine")

    def refused(self, error: ApiError, headers: Mapping[bytes, bytes]) -> Sequence[tuple[bytes, bytes]]:
        """Counted by nobody."""
        return ()

    async def answer(self, exchange: "Exchange") -> None:
        """Nothing."""
        raise PathNotFound(f"{exchange.head.path} leads to no engine")
