"""Ask about a picture through the gateway: what the chart's `helm test` pod runs, from the server image.

Standard library for HTTP, because the `openai` package is not in this image."""

import argparse
import base64
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from qwen3vl_common.keys import parse_entry

QUESTION = "Which colour has the shape in this picture?"
EXPECTED = "red"
POLL_SECONDS = 1.0


class SmokeTestError(Exception):
    """The test failed; the message says what to do."""


def picture() -> bytes:
    """A red square on white, 256 x 256, as JPEG."""
    pixels = np.full((256, 256, 3), 255, np.uint8)
    cv2.rectangle(pixels, (64, 64), (191, 191), (0, 0, 220), thickness=-1)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def plain_key(directory: Path) -> str:
    """A key of the mounted Secret that stands there in plain text.

    Raises:
        SmokeTestError: there is none; a hash cannot be sent.
    """
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            parse_entry(path.read_text())
        except ValueError:
            continue
        for line in map(str.strip, path.read_text().splitlines()):
            if line and not line.startswith(("#", "sha256:")):
                return line
    raise SmokeTestError(f"no plain-text key under {directory}: hashed keys cannot be sent, so add one for this test")


class Gateway:
    """The gateway as its clients see it."""

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})

    def ask(self, path: str, body: dict[str, Any] | None, timeout_seconds: float) -> dict[str, Any]:
        """One exchange: the JSON answer.

        Raises:
            OSError: no connection, or (`urllib.error.HTTPError`) an error status.
            ValueError: the answer is not a JSON object.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=self._headers)  # noqa: S310 - our gateway
        with urllib.request.urlopen(request, timeout=timeout_seconds) as response:  # noqa: S310
            answer = json.load(response)
        if not isinstance(answer, dict):
            raise ValueError("the answer is not a JSON object")
        return answer


def wait_for_model(gateway: Gateway, wanted: str | None, deadline: float) -> str:
    """The name of a model that the gateway lists, as soon as there is one. `deadline` is by `time.monotonic`.

    Raises:
        SmokeTestError: none until the deadline, or the key is refused.
    """
    seen = "the gateway was not asked yet"
    while time.monotonic() < deadline:
        try:
            listed = gateway.ask("/v1/models", None, 5)["data"]
            # A model that can answer now before one that is still loading.
            names = [model["id"] for model in sorted(listed, key=lambda one: not one.get("ready_replicas"))]
            found = wanted if wanted in names else names[0] if names and not wanted else None
            if found:
                return str(found)
            seen = f"the gateway lists {', '.join(names) or 'no model'}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == 401:
                raise SmokeTestError("the gateway refuses the key (401): is it in the Secret that it reads?") from None
            seen = f"the gateway cannot be asked: {error}"
        time.sleep(POLL_SECONDS)
    raise SmokeTestError(
        f"no {'model ' + wanted if wanted else 'model'} yet; {seen}. "
        "Create one: kubectl apply -f examples/simulator.yaml; watch it: kubectl get visionmodels"
    )


def question(model: str) -> dict[str, Any]:
    """The chat request about the picture."""
    url = "data:image/jpeg;base64," + base64.b64encode(picture()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}]
    return {"model": model, "max_tokens": 128, "messages": [{"role": "user", "content": content}]}


def ask(gateway: Gateway, model: str, deadline: float) -> str:
    """The model's answer; while no endpoint is ready (503) it asks again.

    Raises:
        SmokeTestError: an error status, no answer in time, or an answer that does not name the colour.
    """
    while True:
        left = max(1.0, deadline - time.monotonic())
        try:
            answer = gateway.ask("/v1/chat/completions", question(model), left)
            text = str(answer["choices"][0]["message"]["content"] or "")
            break
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:500]
            if error.code != 503 or time.monotonic() > deadline:
                raise SmokeTestError(f"the gateway answers {error.code}: {said}") from None
            time.sleep(POLL_SECONDS)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SmokeTestError(f"no usable answer: {error}") from None
    if EXPECTED not in text.lower():
        raise SmokeTestError(f"the answer does not say {EXPECTED}: {text!r}")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run the test; 0 when the picture was answered, 1 with one line on what went wrong otherwise."""
    parser = argparse.ArgumentParser(prog="qwen3vl_server.smoketest", description="Ask about a picture.")
    parser.add_argument("--gateway-url", required=True, help="for example http://qwen3vl-gateway.NAMESPACE")
    parser.add_argument("--keys-dir", type=Path, help="the users' keys; without it no key is sent")
    parser.add_argument("--model", help="default: the first that is ready, else the first listed")
    parser.add_argument("--timeout-seconds", type=float, default=120)
    options = parser.parse_args(arguments)
    deadline = time.monotonic() + options.timeout_seconds
    try:
        gateway = Gateway(options.gateway_url, plain_key(options.keys_dir) if options.keys_dir else None)
        model = wait_for_model(gateway, options.model, deadline)
        begun = time.monotonic()
        text = ask(gateway, model, deadline)
    except SmokeTestError as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    print(f"model:    {model}\nquestion: {QUESTION}\nanswer:   {text}\nlatency:  {time.monotonic() - begun:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
