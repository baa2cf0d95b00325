"""Ids that are drawn: whatever the random source gives, nobody is given one that somebody has."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from qwen3vl_vln.edge.http.tickets import Tickets
from qwen3vl_vln.edge.identity import Authenticator
from qwen3vl_vln.edge.sockets import Sockets
from qwen3vl_vln.edge.wire import Bounds
from qwen3vl_vln.errors import NoUnusedIdError
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import Tasks
from qwen3vl_vln.unused import DRAWS, unused

from .samples import WALL, navigation_without_worker
from .socket_server import Robot, Server

TWICE = 2


def each_twice() -> Callable[[], str]:
    """A source whose every word comes two times in a row."""
    words: Iterator[str] = (f"{number:06x}" for number in itertools.count() for _ in range(TWICE))
    return lambda: next(words)


def test_two_tasks_of_one_second_with_the_same_random_bits_are_two_tasks() -> None:
    """The second took the first one's place: stopping the first ended the second."""
    navigation = navigation_without_worker()
    navigation.tasks.suffix = each_twice()
    first = navigation.create(Settings(robot="go2-01", instruction="Walk on."))
    second = navigation.create(Settings(robot="go2-02", instruction="Walk on."))
    assert len(navigation.tasks) == TWICE
    navigation.stop(navigation.tasks.get(first.task.task_id), "enough")
    assert (first.task.verdict, second.task.verdict) == ("Cancelled", None)


def test_the_id_of_a_task_that_was_deleted_is_not_given_again() -> None:
    navigation = navigation_without_worker()
    navigation.tasks.suffix = each_twice()
    wall = 1_700_000_000.0
    first = navigation.tasks.add(navigation.tasks.new_id(wall), Settings(robot="a", instruction="Walk on."), wall)
    navigation.delete(first)
    assert navigation.tasks.new_id(wall) != first.task.task_id


def test_a_source_that_gives_one_word_for_ever_is_told_and_costs_no_task() -> None:
    navigation = navigation_without_worker()
    navigation.tasks.suffix = lambda: "000000"
    first = navigation.create(Settings(robot="go2-01", instruction="Walk on."))
    # The time of day may move on between the two: then the second one differs by its second.
    wall = int(first.task.task_id.split("_")[1])
    with pytest.raises(NoUnusedIdError, match="for a task were drawn and each is taken") as refused:
        navigation.tasks.new_id(wall)
    assert navigation.tasks.get(first.task.task_id) is first
    assert (refused.value.status, refused.value.code) == (503, "no_unused_id")


def test_an_id_is_drawn_a_bounded_number_of_times() -> None:
    draws: list[str] = []

    def draw() -> str:
        draws.append("same")
        return "same"

    with pytest.raises(NoUnusedIdError):
        unused("thing", draw, lambda _: True)
    assert len(draws) == DRAWS
    assert Tasks("boot", suffix=lambda: "abcdef").new_id(WALL) == f"vln_{int(WALL)}_abcdef"


def test_a_ticket_that_was_given_out_is_given_to_nobody_else() -> None:
    tickets = Tickets(draw=each_twice())
    first, second = tickets.give("a", 0.0), tickets.give("b", 0.0)
    assert tickets.take(first, "a", 1.0)
    assert tickets.take(second, "b", 1.0)


async def test_two_connections_of_one_key_are_two_writers_whatever_is_drawn() -> None:
    """Of one name both would hold one lease, and both would drive."""
    server = Server()
    server.sockets = Sockets(server.navigation, Authenticator(None, None), Bounds(), frozenset(), draw=each_twice())
    robots = [server.connect() for _ in range(TWICE)]
    for robot in robots:
        assert (await robot.heard())["type"] == "websocket.accept"
    writers = [connection.writer for connection in server.sockets.connections._open]
    assert len(set(writers)) == TWICE
    await _leave(robots)


async def test_a_connection_without_a_free_name_is_closed_with_the_reason() -> None:
    server = Server()
    server.sockets = Sockets(server.navigation, Authenticator(None, None), Bounds(), frozenset(), draw=lambda: "same")
    first, second = server.connect(), server.connect()
    assert (await first.heard())["type"] == "websocket.accept"
    assert (await second.heard())["type"] == "websocket.accept"
    closed = await second.heard()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4429)
    assert "for a writer" in closed["reason"]
    await _leave([first])


async def _leave(robots: list[Robot]) -> None:
    for robot in robots:
        robot._inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await robot._serving
