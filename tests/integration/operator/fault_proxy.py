"""An apiserver that fails as a test wants it: a proxy that passes each request on, or does something worse to it.

It listens without TLS and hands the operator's bearer token on over TLS, so that rights are what they are."""

import contextlib
import http.client
import json
import select
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Fault = int | Literal["hang", "cut", "lost"] | bytes | None
"""What becomes of a request: None, it is passed on; a number, that HTTP status; bytes, status 200 and these; `hang`, no
answer ever; `cut`, the connection ends without it being passed on; `lost`, it ends after it was passed on."""
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: str
    body: bytes
    is_of_informer: bool

    @property
    def parts(self) -> list[str]:
        """Namespace, plural, name and subresource, as far as the path has them."""
        _, found, rest = self.path.partition("/namespaces/")
        return rest.split("/") if found else []

    @property
    def is_watch(self) -> bool:
        return "watch=true" in self.query

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Rule = Callable[[Asked], Fault]


@dataclass
class FaultProxy:
    """See the module.

    Attributes:
        rule: what becomes of each request; may be changed at any time.
        answered: every request and the status of its answer, 0 where there was none.
    """

    target: str
    pki: Path
    port: int = 0
    rule: Rule = lambda asked: None
    answered: list[tuple[Asked, int]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        self._connections: set[http.client.HTTPSConnection] = set()
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.proxy = self  # type: ignore[attr-defined]  # the only way to the handlers
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPSConnection:
        made = http.client.HTTPSConnection(urlsplit(self.target).netloc, context=self.context)
        self._connections.add(made)
        return made

    def forget(self, connection: http.client.HTTPSConnection) -> None:
        connection.close()
        self._connections.discard(connection)

    def of_the_operator(self) -> list[tuple[Asked, int]]:
        """Requests of the operator's own client, without those of its informer."""
        return [(asked, status) for asked, status in list(self.answered) if not asked.is_of_informer]

    def end(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self.cut()

    def cut(self) -> None:
        """End what goes on, watches too; new requests are as before."""
        for connection in list(self._connections):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(2)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `answered` has it."""

    def setup(self) -> None:
        super().setup()
        self.proxy: FaultProxy = self.server.proxy  # type: ignore[attr-defined]  # see there
        self.upstream: http.client.HTTPSConnection | None = None

    def finish(self) -> None:
        if self.upstream is not None:
            self.proxy.forget(self.upstream)
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):  # either side went
            super().handle()

    def _any(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        informs = self.headers.get("user-agent", "").startswith("kopf")
        asked = Asked(self.command, path, query, body, informs)
        fault = self.proxy.rule(asked)
        if isinstance(fault, int):
            self._refuse(asked, fault)
        elif isinstance(fault, bytes):
            self._answer(asked, 200, fault)
        elif fault is None:
            self._pass_on(asked)
        else:
            if fault == "hang":
                self._hang()
            if fault == "lost":
                self._ask(asked).read()
            self.proxy.answered.append((asked, 0))
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _any  # noqa: N815 - http.server's names

    def _hang(self) -> None:
        """Until the client goes."""
        while not self.proxy.ended.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.1)
            if readable:
                return

    def _refuse(self, asked: Asked, status: int) -> None:
        words = {429: "storage is (re)initializing", 409: "the object has been modified"}.get(status, "out of order")
        told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": words, "code": status}
        self._answer(asked, status, json.dumps(told).encode())

    def _answer(self, asked: Asked, status: int, body: bytes) -> None:
        self.proxy.answered.append((asked, status))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _ask(self, asked: Asked) -> http.client.HTTPResponse:
        if self.upstream is None:
            self.upstream = self.proxy.connect()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {*HOP_BY_HOP, "host"}}
        headers["Accept-Encoding"] = "identity"
        self.upstream.request(self.command, self.path, asked.body or None, headers)
        return self.upstream.getresponse()

    def _pass_on(self, asked: Asked) -> None:
        response = self._ask(asked)
        self.proxy.answered.append((asked, response.status))
        self.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := response.read1(65536):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        response.read()  # its end; else the connection takes no other request
        self.wfile.write(b"0\r\n\r\n")


@contextlib.contextmanager
def fault_proxy(target: str, pki: Path, *, port: int = 0) -> Iterator[FaultProxy]:
    """The proxy, until the block ends."""
    made = FaultProxy(target, pki, port)
    try:
        yield made
    finally:
        made.end()


def for_a_while(fault: Fault, seconds: float) -> Rule:
    """The same for every request, until so many seconds after the first one."""
    began: list[float] = []

    def rule(asked: Asked) -> Fault:
        if not began:
            began.append(time.monotonic())
        return fault if time.monotonic() - began[0] < seconds else None

    return rule
