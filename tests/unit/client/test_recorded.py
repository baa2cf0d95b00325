"""`qwen3vl record` on real files: what it tells, what it takes out, and which texts would be understood otherwise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.images import jpeg
from tests.support.processes import PYTHONPATH

from qwen3vl_client.command import main
from qwen3vl_vln.ipc.rows import AnswerRow
from qwen3vl_vln.parser import ParseLimits, parse
from qwen3vl_vln.recording import messages
from qwen3vl_vln.recording.store import RecordingStore
from qwen3vl_vln.recording.writer import RecordingWriter

AT, SECOND = 1_700_000_000_000_000_000, 1_000_000_000
ABOUT = {"robot": "go2", "instruction": "Walk on.", "verdict": None}
PLAN = '{"reached_goal": false, "waypoints": [{"dx": 0.5, "dy": 0, "dtheta": 0.1}], "action": "forward"}'
BACK = '{"reached_goal": false, "waypoints": [{"dx": -0.5, "dy": 0, "dtheta": 0}], "action": "forward"}'
WORDS = "turn left 15 degrees"


def call(frame: int, text: str | None, *, profile: str = "waypoints", reverse: bool = False) -> list[messages.Entry]:
    """A call with what the parser makes of it now."""
    parsed = parse(text or "", finish_reason="stop", profile=profile, limits=ParseLimits(reverse=reverse))
    ended = messages.ModelCall(
        frame=frame,
        epoch=1,
        instruction="Walk on.",
        language="en",
        profile=profile,
        reverse=reverse,
        history_frames=0,
        seconds=0.1 * frame,
        text=text,
        finish_reason="stop",
        outcome="failed" if text is None else parsed.outcome,
        reason=parsed.reason,
        waypoints=parsed.waypoints,
        action=parsed.action,
        environment=parsed.environment,
        progress=parsed.progress,
        clamped=parsed.clamped,
    )
    return messages.call(AT + frame * SECOND, ended)


def answer(number: int) -> messages.Entry:
    row = AnswerRow(
        at=0.0,
        frame_id=number,
        seq=number,
        state="moving",
        reason="following_plan",
        linear_mps=0.3,
        angular_rps=0.0,
        plan_id="p",
        age_ms=40,
    )
    return messages.answer(AT + number, row)


def record(folder: Path, *entries: messages.Entry) -> Path:
    store = RecordingStore(folder / "recordings", 64 << 20)
    store.scan()
    writer = RecordingWriter(store, 32 << 20, lambda *_: None)
    writer.begin("t-1", ABOUT, AT)
    writer.add("t-1", entries)
    writer.end("t-1")
    return next((folder / "recordings" / "t-1").iterdir())


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return record(
        tmp_path,
        *messages.event(AT, "recording_on", "Walk on.", 1, task=ABOUT),
        *messages.frame(AT, 1, 1, jpeg(seed=1), key=True, pose=None),
        *messages.frame(AT + SECOND, 2, 1, jpeg(seed=2), key=False, pose=None),
        *call(1, PLAN),
        *call(2, WORDS, profile="actions"),
        *call(3, "no idea"),
        *call(4, BACK, reverse=True),
        *call(5, None),
        *map(answer, range(3)),
        *messages.event(AT + 9 * SECOND, "finished", "Cancelled: by hand", 2, task=ABOUT | {"verdict": "Cancelled"}),
    )


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_info(walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("record", "info", walk, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["robot"] == "go2" and facts["verdict"] == "Cancelled" and facts["duration_seconds"] == 9.0
    assert (facts["frames"], facts["key_frames"]) == (2, 1)
    assert facts["model_calls"] == {"plan": 3, "invalid": 1, "failed": 1} and facts["answers"] == {"moving": 3}
    assert facts["model_seconds"] == pytest.approx({"p50": 0.2, "p95": 0.4, "max": 0.4})
    assert run("record", "info", walk) == 0
    table = capsys.readouterr().out
    assert "Cancelled: by hand" in table and "2 looked at, 1 key frames" in table and "p50 0.20 s" in table


def test_export(walk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("record", "export", walk, "--to", out) == 0
    assert (out / "frames/000001.jpg").read_bytes() == jpeg(seed=1)
    assert (out / "frames/000002.jpg").read_bytes() == jpeg(seed=2)
    lines = [json.loads(line) for line in (out / "model.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == [PLAN, WORDS, "no idea", BACK, None] and lines[0]["at"] == 1_700_000_001
    assert len((out / "answers.jsonl").read_text().splitlines()) == 3
    assert run("record", "export", walk, "--to", out) == 2
    assert "new or an empty folder" in capsys.readouterr().err


def test_replay_of_what_is_understood_as_then(walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("record", "replay", walk) == 0
    assert capsys.readouterr().out == "4 texts of the model, 0 are understood otherwise now\n"


def test_replay_with_another_profile(walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("record", "replay", walk, "--profile", "waypoints") == 1
    out = capsys.readouterr().out
    assert WORDS in out and "outcome: 'plan' -> 'invalid'" in out and out.endswith("1 are understood otherwise now\n")


def test_replay_with_another_permission_to_reverse(walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("record", "replay", walk, "--no-reverse") == 1
    assert "waypoints: [(-0.5, 0, 0)] -> []" in capsys.readouterr().out


def test_replay_shows_what_another_parser_had_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, line = call(1, PLAN)
    model.body["waypoints"][0]["dx"] = 1.0  # as if it had then been read so
    assert run("record", "replay", record(tmp_path, model, line)) == 1
    assert "waypoints: [(1, 0, 0.1)] -> [(0.5, 0, 0.1)]" in capsys.readouterr().out


def test_an_unknown_profile_is_told(walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("record", "replay", walk, "--profile", "telepathy") == 2
    assert "waypoints, actions" in capsys.readouterr().err


def test_a_file_that_is_cut_off_is_read_and_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [entry for i in range(40) for entry in (*messages.frame(AT, i, 1, jpeg(320, 240), key=True, pose=None),)]
    path = record(tmp_path, *entries)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert run("record", "info", path, "--json") == 0
    told = capsys.readouterr()
    assert 15 < json.loads(told.out)["frames"] < 25 and "cut off" in told.err


@pytest.mark.parametrize("content", [b"", b"\xff\xd8 a picture, no recording"])
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(content)
    assert run("record", "info", path) == 2
    assert "x.mcap is" in capsys.readouterr().err


def test_a_damaged_chunk_is_told(walk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(walk.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 64] = bytes(64)
    walk.write_bytes(data)
    assert run("record", "info", walk) == 2
    assert "damaged" in capsys.readouterr().err


def test_a_missing_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("record", "info", tmp_path / "none.mcap") == 2
    assert "none.mcap" in capsys.readouterr().err


def program(code: str, *arguments: Path, path: str = PYTHONPATH) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)


NO_SOCKETS = """
import sys
from qwen3vl_client.command import main
def watch(event, arguments):
    if event.startswith('socket.'):
        raise SystemExit(f'opened: {event}')
sys.addaudithook(watch)
main(['record', 'replay', sys.argv[1]])
"""


def test_replay_opens_no_socket(walk: Path) -> None:
    done = program(NO_SOCKETS, walk)
    assert done.returncode == 0 and "4 texts" in done.stdout, done.stderr
    caught = program(NO_SOCKETS.replace("main(['record', 'replay', sys.argv[1]])", "import socket; socket.socket()"))
    assert caught.returncode == 1 and "opened: socket" in caught.stderr, "this test would see one"


@pytest.mark.parametrize(("absent", "said"), [("mcap", "qwen3vl-client[record]"), ("qwen3vl_vln", "images/vln")])
def test_what_is_not_installed_is_named(walk: Path, absent: str, said: str) -> None:
    code = "import sys; sys.modules[sys.argv[2]] = None\nfrom qwen3vl_client.command import main\n"
    done = program(f"{code}main(['record', 'replay', sys.argv[1]])", walk, Path(absent))
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
