"""A synchronous client of a test's kube-apiserver, and a proxy before it that can be cut."""

import contextlib
import http.client
import json
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

Object = dict[str, Any]
T = TypeVar("T")
GROUPS = {
    "visionmodels": "apis/qwen3vl.io/v1alpha1",
    "navtasks": "apis/qwen3vl.io/v1alpha1",
    "statefulsets": "apis/apps/v1",
    "deployments": "apis/apps/v1",
    "horizontalpodautoscalers": "apis/autoscaling/v2",
    "roles": "apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
}
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class Refused(Exception):
    """The apiserver's answer was an error: its status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Api:
    """An administrator's view of one apiserver."""

    def __init__(self, url: str, pki: Path) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def headers(self) -> dict[str, str]:
        """Who asks, where no certificate says it."""
        return {}

    def call(
        self, method: str, path: str, body: Object | list[Object] | None = None, content_type: str = "application/json"
    ) -> Object:
        """The answer's JSON.

        Raises:
            Refused: the status is 400 or more.
        """
        connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=20)
        try:
            text = json.dumps(body) if body is not None else None
            headers = {"Content-Type": content_type, "Accept": "application/json", **self.headers()}
            connection.request(method, f"/{path}", text, headers)
            response = connection.getresponse()
            content: Object = json.loads(response.read())
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, content["message"])
        return content


class Namespace:
    """Objects of one namespace, by plural and name."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name

    def _path(self, plural: str, name: str = "", subresource: str = "", query: str = "") -> str:
        parts = (GROUPS.get(plural, "api/v1"), "namespaces", self.name, plural, name, subresource)
        return "/".join(part for part in parts if part) + query

    def is_there(self) -> bool:
        """Whether the namespace is there, also while it is being deleted."""
        try:
            self.api.call("GET", f"api/v1/namespaces/{self.name}")
        except Refused as error:
            if error.status == 404:
                return False
            raise
        return True

    def create(self, plural: str, body: Object) -> Object:
        return self.api.call("POST", self._path(plural), body)

    def get(self, plural: str, name: str, subresource: str = "") -> Object:
        return self.api.call("GET", self._path(plural, name, subresource))

    def list(self, plural: str) -> list[Object]:
        items: list[Object] = self.api.call("GET", self._path(plural))["items"]
        return items

    def find(self, plural: str, name: str) -> Object | None:
        try:
            return self.get(plural, name)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def delete(self, plural: str, name: str) -> Object:
        return self.api.call("DELETE", self._path(plural, name))

    def merge(self, plural: str, name: str, change: Object, subresource: str = "") -> Object:
        return self.api.call("PATCH", self._path(plural, name, subresource), change, MERGE)

    def apply(self, plural: str, body: Object, manager: str, *, force: bool = False) -> Object:
        query = f"?fieldManager={manager}&force={'true' if force else 'false'}"
        return self.api.call("PATCH", self._path(plural, body["metadata"]["name"], "", query), body, APPLY)


def eventually(what: Callable[[], T | None], seconds: float = 10) -> T:
    """The first value of `what` that is not None or False, before the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"did not become true within {seconds} s")
        time.sleep(0.02)


class Proxy:
    """Forwards connections to the apiserver until it is cut: then those there end and new ones are refused."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 443)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # cut
            server = socket.create_connection(self._target)
            self._pairs.append((client, server))
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()

    def cut(self) -> None:
        _end(self._listener)
        for pair in self._pairs:
            for one in pair:
                _end(one)
        self._pairs.clear()

    def restore(self) -> None:
        self._listener = self._listen(self.port)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have ended it
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _pump(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError, KeyError):
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                source: Any = key.fileobj
                data = source.recv(65536)
                if not data:
                    raise OSError
                key.data.sendall(data)
    for end in (one, other):
        _end(end)


@contextlib.contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    made = Proxy(target)
    try:
        yield made
    finally:
        made.cut()
