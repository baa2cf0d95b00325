"""What ends a connection before its time: refusals, and clients that take too long."""

from qwen3vl_common.errors import ApiError, ModelUnavailable, Overloaded, RequestTimedOut, ShareFull
from qwen3vl_server.gateway.front import wire
from qwen3vl_server.gateway.front.connection import FrontConnection, Phase
from qwen3vl_server.gateway.front.exchange import REPLACED


class BoundedConnection(FrontConnection):
    """A connection that knows when to end."""

    def replace(self) -> None:
        """The process must end now."""
        if self._exchange is not None:
            self._exchange.replace()
        elif self._reservation is not None:
            self.refuse(ModelUnavailable(REPLACED))

    def refuse(self, error: ApiError, rest: bytes = b"", *, length: int | None = None) -> None:
        """Answer without the door and the application.

        Args:
            rest: what came after the head.
            length: of the body, where the head can be believed; the connection goes on if all of it is there.
        """
        message, self._message = self._message, None
        if message is not None:
            message.forget_parser()
        self._release()
        whole = length is not None and len(rest) >= length
        keep_alive = whole and message is not None and message.keep_alive and not self.leaving
        is_head = message is not None and message.method == b"HEAD"
        told = self.front.door.refused(error, dict(message.headers) if message is not None else {})
        headers = [*self.default_headers, *told]
        self.send(wire.error_answer(error, headers, close=not keep_alive, without_body=is_head))
        if keep_alive:
            self._ahead[:0] = rest[length:]  # what is ahead already came after it
            self.answered(keep_alive=True)
        else:
            self.drop_rest(len(rest) + len(self._ahead))

    def look(self, now: float) -> None:
        """End what has taken too long."""
        limits, tick = self.front.limits, self.front.sweeper.tick_seconds
        unsent = self.transport.get_write_buffer_size()
        if unsent and self._takes_nothing(unsent, now):
            if self._exchange is not None:
                self._exchange.leave()
            self._phase = Phase.CLOSED
            self.transport.abort()
            return
        # The clock stood at the tick before the event.
        waited = now - self._since - tick
        if self._phase is Phase.HEAD:
            if self._message is not None:
                if waited > limits.head_seconds:
                    self.refuse(RequestTimedOut(f"the head was not complete within {limits.head_seconds:g} s"))
            elif not unsent and waited > (limits.keep_alive_seconds if self._served else limits.head_seconds):
                self._close()
        elif self._phase is Phase.ROOM:
            if waited > limits.room_seconds:
                self.refuse(self.no_room())
        elif self._phase is Phase.BODY:
            if waited > limits.body_window_seconds:
                if self._came - self._window_came < limits.body_bytes_per_second * waited:
                    self.refuse(RequestTimedOut(f"the body came slower than {limits.body_bytes_per_second} bytes/s"))
                else:
                    self._since, self._window_came = now, self._came
        elif self._phase is Phase.DROP and waited > limits.refused_seconds:
            self._close()

    def _takes_nothing(self, unsent: int, now: float) -> bool:
        taken = self._written - unsent
        if taken != self._taken:
            self._taken, self._taken_at = taken, now
            return False
        return now - self._taken_at > self.front.limits.taking_seconds

    def no_room(self) -> ApiError:
        """Why a body cannot be read."""
        if self._reservation is not None and self._reservation.share_is_full:
            return ShareFull("your other requests in flight leave no room for this one; wait for their answers")
        return Overloaded("too many bytes of requests are in flight; try again")
