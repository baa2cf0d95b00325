"""The example scripts and the chart's smoke test as programs, against a simulator in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import picture
import pytest
from tests.support.processes import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = ROOT / "examples" / "clients"
SEEN = "I see 3 shapes: 2 red circles and 1 blue square on a white background."
KEY = "a-key"


def port_of(log: Path, started: subprocess.Popen[bytes]) -> str:
    """The address that the server says it listens on: port 0 lets the kernel choose."""
    deadline = time.monotonic() + 60
    while "running on " not in log.read_text():
        assert started.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return log.read_text().partition("running on ")[2].split()[0]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("simulator") / "log"
    environment = ENVIRONMENT | {"QWEN3VL_ENGINE_KEY": KEY}
    command = ["qwen3vl_server.simulator", "--model-name", "sim", "--host", "127.0.0.1", "--port", "0"]
    with log.open("wb") as out, subprocess.Popen([sys.executable, "-m", *command], env=environment, stderr=out) as run:
        try:
            yield port_of(log, run)
        finally:
            run.terminate()
    assert run.returncode == 0


def script(name: str, *options: str, url: str | None, key: str = KEY) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    environment |= {"OPENAI_API_KEY": key} | ({"OPENAI_BASE_URL": f"{url}/v1"} if url else {})
    command = [sys.executable, str(CLIENTS / "python" / name), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", ["vision.py", "stream.py"])
def test_the_picture_is_described(engine: str, name: str) -> None:
    done = script(name, url=engine)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(SEEN + "\n(")


def test_the_typed_answer_is_printed_as_json(engine: str) -> None:
    done = script("structured.py", "--model", "sim", url=engine)
    assert done.returncode == 0, done.stderr
    assert '"count": 3' in done.stdout and '"background_color": "white"' in done.stdout


def test_a_picture_of_ones_own(engine: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.jpg"
    mine.write_bytes(picture.draw((picture.Shape("green", "triangle", 0.5, 0.5),)))
    done = script("vision.py", "--picture", str(mine), url=engine)
    assert done.stdout.startswith("I see 1 shape: 1 green triangle on a white background.")
    curl = subprocess.run(
        [str(CLIENTS / "curl.sh"), str(mine), 'What "is" it?'],
        env=os.environ | {"OPENAI_BASE_URL": f"{engine}/v1", "OPENAI_API_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert curl.returncode == 0, curl.stderr
    assert "1 green triangle" in curl.stdout


@pytest.mark.parametrize(
    ("name", "options", "key", "said"),
    [
        ("vision.py", ["--model", "other"], KEY, "404: no model 'other' here, only 'sim'"),
        ("stream.py", ["--model", "other"], KEY, "404: no model 'other' here, only 'sim'"),
        ("structured.py", ["--model", "other"], KEY, "404: no model 'other' here, only 'sim'"),
        ("vision.py", [], "wrong", "401: the key is missing or wrong"),
        ("vision.py", ["--picture", "/nowhere.jpg"], KEY, "/nowhere.jpg: No such file"),
        ("stream.py", ["--picture", __file__], KEY, "400: "),
    ],
)
def test_errors_are_one_readable_line(engine: str, name: str, options: list[str], key: str, said: str) -> None:
    done = script(name, *options, url=engine, key=key)
    assert done.returncode == 1
    assert done.stderr.startswith(said) and len(done.stderr.splitlines()) == 1


def test_missing_address_and_nobody_there() -> None:
    assert script("vision.py", url=None).stderr.startswith("OPENAI_BASE_URL is not set")
    assert "http://127.0.0.1:1/v1 cannot be reached" in script("vision.py", url="http://127.0.0.1:1").stderr


def smoketest(url: str, keys: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qwen3vl_server.smoketest", "--gateway-url", url, "--keys-dir", str(keys), *options],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    (tmp_path / "hashed").write_text("sha256:" + "0" * 64)
    (tmp_path / "plain").write_text(f"# for tests\n{KEY}\n")
    return tmp_path


def test_the_smoke_test_prints_question_answer_and_latency(engine: str, keys: Path) -> None:
    done = smoketest(engine, keys)
    assert done.returncode == 0, done.stderr
    assert "1 red square" in done.stdout
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["model", "question", "answer", "latency"]


def test_the_smoke_test_says_what_is_missing(engine: str, keys: Path) -> None:
    absent = smoketest(engine, keys, "--model", "other", "--timeout-seconds", "1.5")
    assert absent.returncode == 1
    assert "no model other yet; the gateway lists sim" in absent.stderr and "kubectl apply -f" in absent.stderr
    nobody = smoketest("http://127.0.0.1:1", keys, "--timeout-seconds", "1")
    assert nobody.returncode == 1 and "cannot be asked" in nobody.stderr
    (keys / "plain").write_text("wrong")
    assert "refuses the key" in smoketest(engine, keys).stderr
    (keys / "plain").unlink()
    assert "no plain-text key" in smoketest(engine, keys).stderr


def test_the_smoke_test_fails_on_an_answer_that_does_not_see(engine: str, keys: Path) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    fault = {"fault": "reply", "text": "I see a cat.", "count": 1}
    assert httpx2.post(f"{engine}/simulator/faults", json=fault, headers=headers).status_code == 200
    blind = smoketest(engine, keys)
    assert blind.returncode == 1 and "does not say red" in blind.stderr
