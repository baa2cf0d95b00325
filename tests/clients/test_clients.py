"""Libraries of others that are too large for every run: each asks about a picture in its usual ways."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import picture
import pytest
from hack.devtools.venv import ROOT, ensure_listed
from tests.support.gateway_process import KEY, GatewayProcess

from localkube import packages
from localkube.report import Failure

PROGRAMS = Path(__file__).parent / "programs"
SEEN = "I see 3 shapes: 2 red circles and 1 blue square on a white background."
URL = picture.data_url(picture.draw())
PROGRAM_SECONDS = 120


@pytest.fixture(scope="session")
def python() -> Path:
    return ensure_listed(ROOT / "hack/environments/clients.txt")


def _answers(python: Path, program: str, gateway: GatewayProcess) -> dict[str, Any]:
    # Nothing of ours on its path, no list of prices from the internet, no proxy on the way to loopback.
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    command = [str(python), str(PROGRAMS / program), f"{gateway.url}/v1", KEY, URL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PROGRAM_SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_litellm(python: Path, gateway: GatewayProcess) -> None:
    answers = _answers(python, "ask_litellm.py", gateway)
    assert (answers["whole"], answers["streamed"], answers["asynchronous"]) == (SEEN, SEEN, SEEN)
    assert answers["pieces"] > 5 and answers["again"]
    assert answers["refused"] == "AuthenticationError"


def test_langchain(python: Path, gateway: GatewayProcess) -> None:
    answers = _answers(python, "ask_langchain.py", gateway)
    assert (answers["whole"], answers["streamed"]) == (SEEN, SEEN)
    assert answers["pieces"] > 5 and answers["again"]
    assert answers["structured"] == {"count": 3, "background_color": "white"}


def test_java_that_would_rather_speak_http_2(gateway: GatewayProcess, tmp_path: Path) -> None:
    try:
        packages.ensure({"javac": "openjdk-17-jdk-headless"})
    except Failure as failure:
        pytest.skip(f"no JDK: {failure}")
    parts = [{"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": "What do you see?"}]
    ask = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    whole, streamed = tmp_path / "whole.json", tmp_path / "streamed.json"
    whole.write_text(json.dumps(ask))
    streamed.write_text(json.dumps(ask | {"stream": True}))
    command = ["java", str(PROGRAMS / "Chat.java"), f"{gateway.url}/v1", KEY, str(whole), str(streamed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_SECONDS)
    assert done.returncode == 0, done.stderr
    first, second, head, *events = done.stdout.splitlines()
    for line in (first, second):
        version, status, answer = line.split(" ", 2)
        assert (version, status) == ("HTTP_1_1", "200"), line
        assert json.loads(answer)["choices"][0]["message"]["content"] == SEEN
    assert head == "HTTP_1_1 200"
    assert events[-1] == "data: [DONE]"
    pieces = [json.loads(event.removeprefix("data: "))["choices"] for event in events[:-1]]
    assert "".join(piece[0]["delta"].get("content") or "" for piece in pieces if piece) == SEEN
