"""Since when an endpoint serves no more: a running answer waits for one that is about to leave, not for one that is
gone. Pure: the time is an argument, in seconds of any clock that does not jump."""

from collections.abc import Iterable

from qwen3vl_server.gateway.slices import Listed

FORGET_SECONDS = 600.0
"""For so long an endpoint that no slice lists any more is remembered."""


class Departures:
    """What the slices said of endpoints, by `host:port`. Bounded by what they list, and have listed lately."""

    def __init__(self) -> None:
        self._serving: frozenset[str] = frozenset()
        self._gone_at: dict[str, float] = {}

    def update(self, endpoints: Iterable[Listed], now: float) -> None:
        """Take note of all endpoints of all slices. One serves while any slice says so, whatever another one says."""
        listed: dict[str, bool] = {}
        for one in endpoints:
            listed[one.address] = one.serving or listed.get(one.address, False)
        serving = frozenset(address for address, is_serving in listed.items() if is_serving)
        for address in (self._serving | listed.keys()) - serving:
            self._gone_at.setdefault(address, now)
        forgotten = [
            address
            for address, gone_at in self._gone_at.items()
            if address in serving or (address not in listed and now - gone_at >= FORGET_SECONDS)
        ]
        for address in forgotten:
            del self._gone_at[address]
        self._serving = serving

    def gone_seconds(self, address: str, now: float) -> float:
        """Seconds since the endpoint was last serving; 0 while it is.

        One that was never listed, or was forgotten, has been gone for at least `FORGET_SECONDS`. One that was not
        serving when it was first listed counts from then.
        """
        if address in self._serving:
            return 0.0
        gone_at = self._gone_at.get(address)
        return FORGET_SECONDS if gone_at is None else now - gone_at
