"""The few HTTP requests that a person's tool needs: make a task, read it, end it. For tools, not for a control loop."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

SECONDS = 10.0
PIECE_BYTES = 256 * 1024


class RefusedError(Exception):
    """The server could not be reached, or said no; the text says which."""


class Tasks:
    """The tasks of one VLN API.

    Args:
        url: `http://<service>`, without a path.
        key: one of the robots' keys.

    Raises:
        ValueError: the URL is none of HTTP.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is no address of HTTP: http://HOST")
        self._url, self._key = url.rstrip("/"), key
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def create(self, instruction: str, **config: Any) -> str:
        """Make a task; its id.

        Raises:
            RefusedError: so do all methods here.
        """
        return str(self._ask("POST", "/vln/task/create", {"instruction": instruction, "config": config})["task_id"])

    def get(self, task_id: str) -> dict[str, Any]:
        """The record of a task."""
        return self._ask("GET", f"/vln/task/{task_id}")

    def stop(self, task_id: str) -> None:
        """Stop a task for good."""
        self._ask("POST", f"/vln/task/{task_id}/stop")

    def delete(self, task_id: str) -> None:
        """Forget a task."""
        self._ask("DELETE", f"/vln/task/{task_id}")

    def recordings(self, task_id: str) -> list[dict[str, Any]]:
        """The files of a task's recording, the oldest first."""
        return list(self._ask("GET", f"/vln/task/{task_id}/recordings")["recordings"])

    def download(self, task_id: str, name: str, path: Path) -> None:
        """Write one of these files to a path, whole or not at all."""
        part = path.with_name(f"{path.name}.part")
        with self._open("GET", f"/vln/task/{task_id}/recordings/{name}") as response, part.open("wb") as file:
            while piece := response.read(PIECE_BYTES):
                file.write(piece)
            expected = int(response.headers.get("content-length", file.tell()))
            if file.tell() != expected:
                raise RefusedError(f"{name}: {file.tell()} of {expected} bytes came")
        part.replace(path)

    def socket_url(self, task_id: str) -> str:
        """Where a robot connects for this task."""
        parts = urlsplit(self._url)
        return urlunsplit((parts.scheme.replace("http", "ws"), parts.netloc, f"/vln/ws/{task_id}", "", ""))

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        with self._open(method, path, body) as response:
            try:
                answer = json.load(response)
            except ValueError as error:
                raise RefusedError(f"{method} {self._url}{path}: {error}") from None
        if not isinstance(answer, dict):
            raise RefusedError(f"{method} {path}: the answer is no JSON object")
        return answer

    @contextlib.contextmanager
    def _open(self, method: str, path: str, body: Any = None) -> Iterator[HTTPResponse]:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310 - see __init__
        try:
            with self._opener.open(request, timeout=SECONDS) as response:
                yield response
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")[:300]
            raise RefusedError(f"{method} {path}: HTTP {error.code}: {said}") from None
        except (OSError, HTTPException) as error:
            raise RefusedError(f"{method} {self._url}{path}: {error}") from None
