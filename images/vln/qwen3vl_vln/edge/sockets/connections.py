"""All WebSockets that are open: how many there may be, which one of a task's drives, and who of them is told to go."""

from collections.abc import Callable

from qwen3vl_vln.edge.identity import Caller
from qwen3vl_vln.edge.sockets.connection import Closings, Connection, close
from qwen3vl_vln.errors import LeaseLostError, RobotChangedError, TooManyConnectionsError
from qwen3vl_vln.task.tasks import Entry
from qwen3vl_vln.unused import unused

CONNECTIONS_PER_TASK, CONNECTIONS_MOST = 16, 1024
"""One of them drives; the others wait for it, or hear the end of the task."""
GOING_AWAY = 1001


class Connections:
    """Those that are open.

    Args:
        draw: random characters that tell the writers of one key apart.
    """

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw = draw
        self._open: set[Connection] = set()
        self._writing: dict[str, Connection] = {}
        self._closings = Closings()

    def need_room(self, entry: Entry) -> None:
        """See that one more to this task may be open.

        Raises:
            TooManyConnectionsError: it may not.
        """
        to_task = sum(connection.entry is entry for connection in self._open)
        if len(self._open) >= CONNECTIONS_MOST or to_task >= CONNECTIONS_PER_TASK:
            most = f"{CONNECTIONS_PER_TASK} connections to a task and {CONNECTIONS_MOST} to all"
            raise TooManyConnectionsError(f"{most} are open at most; close one")

    def new_writer(self, caller: Caller, entry: Entry) -> str:
        """A name for who does not say its own.

        Raises:
            NoUnusedIdError: none was found that nobody has.
        """
        # The holder of a lease may be gone for a moment: its name is not free.
        taken = {*self.writers, entry.lease.writer, entry.lease.run}
        return unused("writer", lambda: f"{caller.name}/{self._draw()}", taken.__contains__)

    @property
    def writers(self) -> list[str]:
        """Writers and their runs, of all that are open."""
        return [name for each in self._open for name in (each.writer, each.run)]

    def add(self, connection: Connection) -> None:
        """It is open."""
        self._open.add(connection)

    def remove(self, connection: Connection) -> None:
        """It has ended, and with it the hold of its lease."""
        self._open.discard(connection)
        connection.entry.lease.close(connection.lease_epoch)
        task_id = connection.entry.task.task_id
        if self._writing.get(task_id) is connection:
            del self._writing[task_id]

    def drives(self, connection: Connection) -> None:
        """It has the lease now; the one that had it before is closed."""
        task_id = connection.entry.task.task_id
        before = self._writing.get(task_id)
        self._writing[task_id] = connection
        if before is not None and before is not connection:
            before.replaced = True
            self._closings.close(before, LeaseLostError.close_code, "another connection drives now")

    def robot_changed(self, entry: Entry) -> None:
        """Close all connections to a task that got another robot."""
        reason = f"robot_changed: this task is of robot {entry.task.settings.robot!r} now"
        for connection in [each for each in self._open if each.entry is entry]:
            connection.orphaned = True
            self._closings.close(connection, RobotChangedError.close_code, reason)

    async def close(self) -> None:
        """Tell every robot that this process ends."""
        for connection in list(self._open):
            await close(connection.send, GOING_AWAY, "the server ends")
