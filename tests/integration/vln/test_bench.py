"""The benchmark of the VLN API as its user starts it: its line, and what longer steps need. Its figures are no test."""

import json
import socket
import subprocess
from pathlib import Path

import pytest
from hack.bench.vlnbench import load

ROOT = Path(__file__).resolve().parents[3]
FIELDS = (
    "robots phase p50_ms p90_ms p99_ms p999_ms max_ms worst_robot_p99_ms echo_p50_ms echo_p99_ms answered errors"
    " analysed_fps dropped edge_cpu_seconds worker_cpu_seconds edge_rss_mib worker_rss_mib"
)


def test_a_short_step_prints_one_line_with_all_fields() -> None:
    command = [str(ROOT / "hack/bench/vln"), "--robots", "2", "--seconds", "3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    # On a busy machine the generator is late and the run void, which the exit status says.
    assert done.stdout, done.stderr
    [line] = done.stdout.splitlines()
    step = json.loads(line)
    assert set(FIELDS.split()) <= set(step)
    assert step["answered"] >= 2 * 3 * 30 * 0.9 and step["errors"] == 0
    assert step["moving_share"] > 0 and step["p50_ms"] > 0 and step["echo_p50_ms"] > 0


@pytest.mark.parametrize("name", ["gateway", "overlay"])
def test_the_other_benchmarks_find_their_python(name: str) -> None:
    done = subprocess.run([str(ROOT / "hack/bench" / name), "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "--seconds" in done.stdout


def test_the_load_generator_answers_pings() -> None:
    """A server that hears no pong closes after 40 s, in the middle of a long step."""
    near, far = socket.socketpair()
    with near, far:
        robot = load.LoadRobot(near, 0.0, buffer=b"\x89\x03abc\x81\x02{}\x81\x05cut")
        assert list(load.texts(robot)) == [b"{}"]
        assert robot.buffer == b"\x81\x05cut"
        assert far.recv(64) == b"\x8a\x83" + bytes(4) + b"abc"
