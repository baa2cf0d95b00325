"""Engines that fail: the documented error, nothing left behind, and the next request is answered."""

from typing import Any

import pytest
from tests.support.polling import eventually
from tests.support.release import FIRST_BYTE_SECONDS, Client, Release, Simulator

MODEL = "simulator"
AT_ONCE = 8
"""So many requests meet each fault: one left socket each would show."""


def _at_rest(release: Release, sockets: float) -> bool:
    held = (release.gauge("qwen3vl_gateway_in_flight"), release.gauge("qwen3vl_gateway_open_upstream_connections"))
    return held == (0, 0) and release.gauge("process_open_fds") <= sockets


def _check_slow(results: list[dict[str, Any]]) -> None:
    assert all(result["error"] is None and result["seconds"] >= 1 for result in results), results


def _check_failed(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert result["error"]["status"] == 502
        assert result["error"]["body"]["code"] == "engine_error"
        assert "simulator was told" not in result["error"]["message"], "the engine's internals came through"


def _check_timed_out(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert result["error"]["status"] == 504
        assert result["error"]["body"]["code"] == "engine_timeout"
        assert FIRST_BYTE_SECONDS <= result["seconds"] < FIRST_BYTE_SECONDS * 3


def _check_cut_stream(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert result["content"], "what was said before the cut is lost"
        assert result["finish"] is None
        assert result["error"]["exception"] == "APIError"
        assert result["error"]["body"]["code"] == "engine_error"


@pytest.mark.parametrize(
    ("fault", "stream", "check"),
    [
        ({"kind": "slow", "seconds": 1}, False, _check_slow),
        ({"kind": "500"}, False, _check_failed),
        ({"kind": "500"}, True, _check_failed),
        ({"kind": "hang"}, False, _check_timed_out),
        ({"kind": "hang"}, True, _check_timed_out),
        ({"kind": "cut"}, False, _check_failed),
        ({"kind": "cut"}, True, _check_cut_stream),
    ],
    ids=["slow", "500", "500-stream", "hang", "hang-stream", "cut", "cut-stream"],
)
def test_a_fault_is_told_and_leaves_nothing(
    client: Client, simulator: Simulator, release: Release, fault: dict[str, Any], stream: bool, check: Any
) -> None:
    # As many good answers first: the connections kept for reuse are no leak.
    client("at_once", count=AT_ONCE, model=MODEL)
    eventually(lambda: _at_rest(release, float("inf")), 20, "the gateway is at rest before the fault")
    sockets = release.gauge("process_open_fds")
    simulator.fault(**fault)
    results = client("at_once", count=AT_ONCE, model=MODEL, stream=stream)
    simulator.fault("none")
    check(results)
    answer = client("chat", model=MODEL, with_picture=True)
    assert answer["error"] is None and "2 red circles" in answer["content"], answer
    eventually(lambda: _at_rest(release, sockets + 2), 20, f"the gateway is at rest with {sockets} open files or so")
    assert simulator.stats()["in_flight"] == 0
