"""An administrator's client of the private apiserver, for loads and watches."""

import asyncio
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from hack.bench.operatorbench.exposition import Requests
from hack.bench.operatorbench.failure import RunFailure

from localkube import binaries
from localkube.testing import ApiServer

Object = dict[str, Any]
T = TypeVar("T")
GROUPS = {
    "visionmodels": "apis/qwen3vl.io/v1alpha1",
    "navtasks": "apis/qwen3vl.io/v1alpha1",
    "statefulsets": "apis/apps/v1",
    "services": "api/v1",
}
AT_ONCE = 8
"""Requests of a load that are in flight."""


def path(plural: str, namespace: str, name: str = "") -> str:
    """The path of objects of a kind, or of one."""
    return f"/{GROUPS[plural]}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


class Cluster:
    """See the module."""

    def __init__(self, server: ApiServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def call(self, method: str, where: str, body: Object | None = None) -> Object:
        """The answer's JSON; a PATCH is a merge.

        Raises:
            RunFailure: the apiserver refuses it.
        """
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, where, data=data, headers={"Content-Type": kind}) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise RunFailure(f"{method} {where} answers {answer.status}: {text[:300]}")
            content: Object = json.loads(text)
            return content

    async def requests(self) -> Requests:
        """What the apiserver has answered so far."""
        async with self._session.get("/metrics") as answer:
            return Requests.read(await answer.text())

    async def watch(self, plural: str, namespace: str, see: Callable[[str, Object], None]) -> None:
        """Call `see` with type and object of every event for ever, first with what is there."""
        unlimited = aiohttp.ClientTimeout(total=None)
        while True:
            query = {"watch": "true"}
            async with self._session.get(path(plural, namespace), params=query, timeout=unlimited) as answer:
                async for line in lines(answer.content):
                    event = json.loads(line)
                    see(event["type"], event["object"])

    async def for_each(self, arguments: Iterable[T], call: Callable[[T], Awaitable[Any]]) -> None:
        """Call it with each of these, a few at the same time."""
        turns = iter(arguments)

        async def work() -> None:
            for argument in turns:
                await call(argument)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())

    def apply(self, objects: list[Object]) -> None:
        """`kubectl apply --server-side`."""
        binaries.ensure(["kubectl"])
        command = [str(binaries.path_of("kubectl")), "--kubeconfig", str(self.server.kubeconfig)]
        command += ["apply", "--server-side", "--filename", "-"]
        text = "\n---\n".join(json.dumps(one) for one in objects)
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode != 0:
            raise RunFailure(f"kubectl apply: {done.stderr.strip()}")


async def lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: aiohttp's own reading of lines gives up at 128 KiB."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


@asynccontextmanager
async def connected(server: ApiServer) -> AsyncIterator[Cluster]:
    """A client of the apiserver."""
    context = ssl.create_default_context(cafile=str(server.pki / "ca.crt"))
    context.load_cert_chain(server.pki / "admin.crt", server.pki / "admin.key")
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(server.url, connector=connector) as session:
        yield Cluster(server, session)
