"""Polling a kube-apiserver without kubectl: a kubectl in a loop takes a core from the components that start."""

import http.client
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from localkube.report import Failure


class Api:
    """GET requests with the administrator's client certificate."""

    def __init__(self, url: str, pki: Path) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def get(self, path: str) -> tuple[int, Any]:
        """Status and body (JSON where it is JSON); (0, reason) when nobody answers."""
        connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            return 0, str(error)
        finally:
            connection.close()
        try:
            return response.status, json.loads(body)
        except ValueError:
            return response.status, body.decode(errors="replace")


def wait_until(ready: Callable[[], bool], *, seconds: float, alive: Callable[[], bool], failure: Failure) -> None:
    """Poll until `ready`; raise `failure` when the time is over or `alive` says that nothing is left to wait for."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline or not alive():
            raise failure
        time.sleep(0.1)
