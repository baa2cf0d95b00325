"""All engines: which of a model's endpoints gets a request, and which get none for a while."""

import asyncio
from collections.abc import Callable

from qwen3vl_common.errors import ApiError, EngineFailed
from qwen3vl_server.gateway.engines.answer import Answer
from qwen3vl_server.gateway.engines.contract import EngineRequest, Outgoing, Sink, Timeouts
from qwen3vl_server.gateway.engines.counts import Counts
from qwen3vl_server.gateway.engines.heads import Heads
from qwen3vl_server.gateway.engines.health import Health
from qwen3vl_server.gateway.engines.pool import ConnectError, Pool
from qwen3vl_server.gateway.engines.probe import Probes
from qwen3vl_server.gateway.engines.relay import Relay
from qwen3vl_server.gateway.engines.retries import NotAnswered, ServerError, Tries
from qwen3vl_server.gateway.engines.stream_errors import DONE_ENGINES
from qwen3vl_server.gateway.metrics import Metrics
from qwen3vl_server.gateway.routes import Route


class Engines:
    """Connections to every engine, and what is known of their health.

    Args:
        key_of: the key that a route's engine asks for.
        gone_seconds: for how long an address has been in no EndpointSlice, or in one as not serving; 0: it serves.
    """

    def __init__(
        self,
        timeouts: Timeouts,
        key_of: Callable[[Route], str | None],
        metrics: Metrics,
        gone_seconds: Callable[[str], float],
    ) -> None:
        self._timeouts, self._metrics, self._gone_seconds = timeouts, metrics, gone_seconds
        self._open = 0
        metrics.upstream_connections.set_function(lambda: self._open)
        self._loop = asyncio.get_running_loop()
        self._heads = Heads(key_of)
        self._pool = Pool(timeouts.connect)
        self._health = Health()
        self._probes = Probes(self._pool, self._health, self._heads, gone_seconds)
        self._in_flight: dict[str, int] = {}
        self._counts: dict[str, Counts] = {}

    async def relay(self, route: Route, path: str, request: EngineRequest, request_id: str, sink: Sink) -> int:
        """Have an engine answer, and hand its answer on to the client.

        The caller keeps no reference to `request`: its body is let go when no endpoint can be asked again.

        Returns:
            The status for the metrics.

        Raises:
            ModelUnavailable: no endpoint is ready, none takes connections, or they say that they are not ready.
            EngineTimeout: no first byte in time, or a pause too long.
            EngineFailed: an error of the engine's own, a broken connection, an endpoint that has gone.
            EngineRefused: the engine found the request wrong.
                Each of them before `sink.started`, or after it: then the client is told by an event.
        """
        counts, stream = self._counts_of(route), request.stream
        outgoing = Outgoing(request.body, sink)
        del request
        relay = Relay(
            outgoing,
            sink,
            self._timeouts,
            counts,
            request_id=request_id,
            stream=stream,
            done=route.engine in DONE_ENGINES,
        )
        try:
            return await self._until_answered(route, path, request_id, outgoing, relay, counts)
        finally:
            outgoing.release()

    async def _until_answered(
        self, route: Route, path: str, request_id: str, outgoing: Outgoing, relay: Relay, counts: Counts
    ) -> int:
        begun = self._loop.time()
        tries, reason = Tries(), ""
        while (address := tries.next(self._health.usable(route.endpoints), self._in_flight)) is not None:
            if tries.count > 1:
                counts.retry(reason)
            head = self._heads.post(route, address, path, request_id, len(outgoing.body))
            self._in_flight[address] = self._in_flight.get(address, 0) + 1
            try:
                answer = await self._over(address, head, route, relay, tries, counts, begun)
            except (NotAnswered, ServerError) as outcome:
                reason = outcome.reason
                counts.error(reason)
                tries.note(address, outcome)
                continue
            finally:
                self._leave(address)
            if answer is not None:
                await relay.whole(answer)
            return 200
        raise tries.failure(route.served_name)

    async def _over(
        self, address: str, head: bytes, route: Route, relay: Relay, tries: Tries, counts: Counts, begun: float
    ) -> Answer | None:
        """Ask one endpoint. A stream was handed on then; the answer is returned when it is none."""
        connection = self._pool.take(address) if tries.count == 1 else None
        if connection is None:
            try:
                connection = await self._pool.connect(address)
            except ConnectError as error:
                self._connect_failed(route, address, counts)
                raise NotAnswered("connect", again=error.timed_out) from None
        self._open += 1
        reusable = False
        try:
            answer = await relay.ask(connection, head, lambda: self._gone_seconds(address))
            counts.first_byte_seconds.observe(self._loop.time() - begun)
            self._health.answered(address)
            for failed in tries.failed:
                self._failed(route, failed, counts)
            if answer.streaming:
                await relay.events(connection, answer)
            reusable = True
            return None if answer.streaming else answer
        except NotAnswered as outcome:
            if outcome.again:
                raise
            # The request may be why it broke: nobody else is asked, but three in a row are no chance.
            self._connect_failed(route, address, counts)
            counts.error(outcome.reason)
            raise EngineFailed("the engine closed the connection before it answered") from None
        except (ServerError, ApiError):
            self._health.answered(address)
            reusable = True
            raise
        finally:
            relay.rest()
            self._open -= 1
            if reusable:
                self._pool.give(address, connection)
            else:
                connection.abort()

    def _leave(self, address: str) -> None:
        left = self._in_flight[address] - 1
        if left:
            self._in_flight[address] = left
        else:
            del self._in_flight[address]

    def _counts_of(self, route: Route) -> Counts:
        found = self._counts.get(route.served_name)
        if found is None:
            found = self._counts[route.served_name] = Counts(self._metrics, route.served_name)
        return found

    def _failed(self, route: Route, address: str, counts: Counts) -> None:
        seconds = self._health.failed(address, route.endpoints, self._loop.time())
        if seconds is not None:
            self._probes.eject(route, address, seconds, counts)

    def _connect_failed(self, route: Route, address: str, counts: Counts) -> None:
        seconds = self._health.connect_failed(address, route.endpoints, self._loop.time())
        if seconds is not None:
            self._probes.eject(route, address, seconds, counts)

    async def close(self) -> None:
        """Close what is idle, and ask after no endpoint any more."""
        await self._probes.close()
        self._pool.close()
