"""The watch against an apiserver that does what real ones, and what stands before them, do at their worst."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client
from tests.support.polling import until

from qwen3vl_server.gateway.discovery import Directory, Patience, SliceWatch
from qwen3vl_server.gateway.discovery.sources import DROP_SECONDS, SETTLED_SECONDS
from qwen3vl_server.gateway.metrics import Metrics

PATIENCE = Patience(watch=5, silence=5, line=0.1, steady=60, pauses=(0.01,), longest_pause_at_start=0.01)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def piece(name: str, *addresses: str, model: str = "m", namespace: str = "one", **changes: Any) -> dict[str, Any]:
    labels = {"qwen3vl.io/model": model, "qwen3vl.io/served-name": model}
    metadata = {"name": name, "uid": name, "namespace": namespace, "resourceVersion": "2", "labels": labels}
    ports = [{"name": "http", "port": 8000}]
    return {"metadata": metadata, "ports": ports, "endpoints": [{"addresses": [one]} for one in addresses], **changes}


def listing(*items: Any, token: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1", "continue": token}, "items": list(items)}


@dataclass
class Script:
    """What the apiserver does: answers by namespace, one after the other; the last one goes on for ever."""

    lists: dict[str, list[Any]] = field(default_factory=dict)
    watches: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, namespace: str, *, watch: bool) -> int:
        return sum(name == namespace and ("watch" in query) == watch for name, query in self.asked)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        namespace, query = request.match_info["namespace"], dict(request.query)
        self.asked.append((namespace, query))
        steps = (self.watches if "watch" in query else self.lists)[namespace]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, web.Response):
            return web.Response(status=step.status, body=step.body, headers=step.headers)
        if isinstance(step, dict):
            return web.json_response(step)
        return await self._stream(request, step)

    async def _stream(self, request: web.Request, parts: list[Any]) -> web.StreamResponse:
        """Events, bytes as they are, `...` for a silence without end; after the last part the answer ends."""
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            if part is ...:
                await self.ended.wait()
            else:
                await response.write(part if isinstance(part, bytes) else json.dumps(part).encode() + b"\n")
        return response


@dataclass
class Watched:
    script: Script
    metrics: Metrics = field(default_factory=Metrics)
    later_seconds: float = 0.0
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.directory = Directory(clock=lambda: time.monotonic() + self.later_seconds)

    def endpoints(self, model: str = "m") -> tuple[str, ...] | None:
        route = self.directory.routes.get(model)
        return None if route is None else route.endpoints

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"qwen3vl_gateway_{name}", labels) or 0.0


Start = Callable[[Script], Awaitable[Watched]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Begins to watch the namespaces of a script; at the end the watch must still run."""
    running: list[asyncio.Task[None]] = []
    servers: list[tuple[Script, web.AppRunner]] = []

    async def begin(script: Script) -> Watched:
        app = web.Application()
        app.router.add_get("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", script.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        servers.append((script, runner))
        configuration = client.Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
        watched = Watched(script)
        watch = SliceWatch(configuration, tuple(script.lists), watched.directory, watched.metrics, PATIENCE)
        running.append(asyncio.create_task(watch.run()))
        return watched

    yield begin
    still = [not task.done() for task in running]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for script, runner in servers:
        script.ended.set()
        await runner.cleanup()
    assert all(still), "the watch ended by itself"


def added(thing: dict[str, Any], kind: str = "ADDED") -> dict[str, Any]:
    return {"type": kind, "object": thing}


async def test_a_list_is_read_in_pages(start: Start) -> None:
    pages = [listing(piece("a", "10.0.0.1"), token="t1"), listing(token="t2"), listing(piece("b", "10.0.0.2"))]
    watched = await start(Script({"one": pages}, {"one": [[...]]}))
    await until(lambda: watched.directory.complete)
    assert watched.endpoints() == ("10.0.0.1:8000", "10.0.0.2:8000")
    asked = [query.get("continue", "") for _, query in watched.script.asked if "watch" not in query]
    assert asked == ["", "t1", "t2"]
    assert all(int(query["limit"]) > 0 for _, query in watched.script.asked if "watch" not in query)


async def test_a_token_that_expired_between_two_pages_begins_the_list_anew(start: Start) -> None:
    lists = [listing(piece("gone", "10.0.0.9"), token="t"), web.Response(status=410), listing(piece("a", "10.0.0.1"))]
    watched = await start(Script({"one": lists}, {"one": [[...]]}))
    await until(lambda: watched.directory.complete)
    assert watched.endpoints() == ("10.0.0.1:8000",), "a list that broke off leaves nothing behind"


async def test_a_slice_far_longer_than_any_buffer_is_read(start: Start) -> None:
    large = piece("large", *(f"10.1.{number // 200}.{number % 200}" for number in range(1000)))
    large["metadata"]["annotations"] = {"long": "x" * 6_000_000}
    watched = await start(Script({"one": [listing()]}, {"one": [[added(large), ...]]}))
    await until(lambda: len(watched.endpoints() or ()) == 1000)
    assert watched.script.count("one", watch=True) == 1, "it came with the first watch"


MALFORMED: list[tuple[Any, str]] = [
    (b"{not json\n", "not JSON"),
    (b"5\n", "not an object"),
    (b"\xff\xfe\n", "not JSON"),
    (b'{"type": "ADDED", "object": ' + b"[" * 100_000 + b"\n", "not JSON"),
    ({"type": "ADDED"}, "'ADDED' without an object"),
    (added({"metadata": None}), "'ADDED' of 'None'"),
    (added({"metadata": {"name": "the-slice", "resourceVersion": 7}}), "'ADDED' of 'the-slice'"),
    ({"type": "NEW", "object": piece("x", "10.9.9.9")}, "'NEW' of 'x'"),
    (added(piece("x") | {"metadata": piece("x")["metadata"] | {"namespace": 5}}), "5/x: metadata.namespace"),
]


@pytest.mark.parametrize(("wrong", "named"), MALFORMED, ids=lambda shown: repr(shown)[:40])
async def test_a_malformed_event_is_told_and_a_list_repairs(
    start: Start, caplog: pytest.LogCaptureFixture, wrong: Any, named: str
) -> None:
    before, after = listing(piece("a", "10.0.0.1")), listing(piece("a", "10.0.0.2"))
    watches = [[added(piece("b", "10.0.0.3")), wrong, added(piece("c", "10.0.0.4"))], [...]]
    watched = await start(Script({"one": [before, after]}, {"one": watches}))
    await until(lambda: watched.endpoints() == ("10.0.0.2:8000",))
    assert watched.value("watch_restarts_total", namespace="one", reason="malformed") == 1
    said = [line for line in caplog.messages if line.startswith("EndpointSlices of one:")]
    assert len(said) == 1 and named in said[0], said


EXPIRED: list[Any] = [
    web.Response(status=410),
    web.Response(status=410, text="gone"),
    web.json_response({"kind": "Status", "code": 410, "reason": "Expired"}, status=410),
    [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}],
    [{"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Gone"}}],
    [{"type": "ERROR", "object": {"kind": "Status", "reason": "Expired"}}],
]


@pytest.mark.parametrize("gone", EXPIRED, ids=["status", "text", "Status", "event", "event Gone", "event no code"])
async def test_a_watch_that_is_too_old_begins_with_a_list(start: Start, gone: Any) -> None:
    lists = [listing(piece("a", "10.0.0.1")), listing(piece("a", "10.0.0.2"))]
    watched = await start(Script({"one": lists}, {"one": [gone, [...]]}))
    await until(lambda: watched.endpoints() == ("10.0.0.2:8000",))
    assert watched.value("watch_restarts_total", namespace="one", reason="expired") == 1


UNAVAILABLE: list[Any] = [
    web.Response(status=429, headers={"retry-after": "0"}),
    web.Response(status=500, text="etcdserver: leader changed"),
    web.Response(status=503),
    web.Response(status=401),
    web.Response(status=200, text="<html>a proxy</html>"),
    web.Response(status=200, text='{"items": []}'),
]


@pytest.mark.parametrize("trouble", UNAVAILABLE, ids=["429", "500", "503", "401", "HTML", "no version"])
async def test_a_list_that_fails_is_tried_again_and_nothing_is_complete_before(start: Start, trouble: Any) -> None:
    watched = await start(Script({"one": [trouble, trouble, listing(piece("a", "10.0.0.1"))]}, {"one": [[...]]}))
    await until(lambda: watched.value("watch_restarts_total", namespace="one", reason="malformed")
                + watched.value("watch_restarts_total", namespace="one", reason="unavailable") == 2)  # fmt: skip
    await until(lambda: watched.directory.complete)
    assert watched.endpoints() == ("10.0.0.1:8000",)
    assert watched.value("namespace_healthy", namespace="one") == 1


async def test_an_apiserver_that_asks_for_patience_gets_it(start: Start) -> None:
    busy = web.Response(status=429, headers={"retry-after": "1"})
    watched = await start(Script({"one": [busy, listing()]}, {"one": [[...]]}))
    begun = asyncio.get_running_loop().time()
    await until(lambda: watched.directory.complete)
    assert asyncio.get_running_loop().time() - begun > 0.7


async def test_half_a_line_and_then_silence_is_a_lost_connection(start: Start) -> None:
    half = json.dumps(added(piece("a", "10.0.0.9"))).encode()[:40]
    lists = [listing(piece("a", "10.0.0.1")), listing(piece("a", "10.0.0.2"))]
    watched = await start(Script({"one": lists}, {"one": [[half, ...], [...]]}))
    await until(lambda: watched.endpoints() == ("10.0.0.2:8000",))
    assert watched.value("watch_restarts_total", namespace="one", reason="unavailable") == 1


async def test_a_connection_cut_within_a_line_loses_no_change(start: Start) -> None:
    change = json.dumps(added(piece("a", "10.0.0.2"), "MODIFIED")).encode() + b"\n"
    watched = await start(Script({"one": [listing(piece("a", "10.0.0.1"))]}, {"one": [[change[:-9]], [change, ...]]}))
    await until(lambda: watched.endpoints() == ("10.0.0.2:8000",))


async def test_watches_that_end_at_once_are_not_begun_in_a_loop(start: Start) -> None:
    watched = await start(Script({"one": [listing()]}, {"one": [[], [], [], [...]]}))
    await until(lambda: watched.script.count("one", watch=True) == 4)
    assert watched.value("watch_restarts_total", namespace="one", reason="unavailable") == 3, "each had its pause"


async def test_a_watch_goes_on_from_the_last_version_and_bookmarks_count(start: Start) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}}

    watched = await start(Script({"one": [listing()]}, {"one": [[added(piece("a", "10.0.0.1")), bookmark, ...]]}))
    await until(lambda: watched.endpoints() == ("10.0.0.1:8000",))
    watched.later_seconds = PATIENCE.steady
    watched.script.ended.set()
    await until(lambda: watched.script.count("one", watch=True) > 1)
    versions = [query["resourceVersion"] for _, query in watched.script.asked if "watch" in query]
    assert versions[:2] == ["1", "77"]


async def test_a_forbidden_namespace_keeps_no_other_from_being_served(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = web.json_response({"kind": "Status", "code": 403, "message": "cannot list in two"}, status=403)
    lists: dict[str, list[Any]] = {"one": [listing(piece("a", "10.0.0.1"))], "two": [refusal]}
    watched = await start(Script(lists, {"one": [[...]], "two": [[...]]}))
    await until(lambda: watched.endpoints() == ("10.0.0.1:8000",))
    await until(lambda: watched.script.count("two", watch=False) > 3)
    assert not watched.directory.complete, "an apiserver that begins refuses for a moment"
    watched.later_seconds = SETTLED_SECONDS
    await until(lambda: watched.directory.complete)
    assert (
        watched.value("namespace_healthy", namespace="one"),
        watched.value("namespace_healthy", namespace="two"),
    ) == (1, 0)
    said = [line for line in caplog.messages if "EndpointSlices of two" in line]
    assert len(said) == 1, said
    assert "cannot list in two" in said[0] and "watchNamespaces" in said[0]

    lists["two"].append(listing(piece("b", "10.0.0.2", model="late", namespace="two")))
    await until(lambda: watched.endpoints("late") == ("10.0.0.2:8000",))
    assert watched.value("namespace_healthy", namespace="two") == 1


async def test_where_every_namespace_is_forbidden_nothing_is_ready(start: Start) -> None:
    watched = await start(Script({"one": [web.Response(status=403)]}, {"one": [[...]]}))
    await until(lambda: watched.script.count("one", watch=False) > 1)
    watched.later_seconds, asked = SETTLED_SECONDS, watched.script.count("one", watch=False)
    await until(lambda: watched.script.count("one", watch=False) > asked + 2)
    assert not watched.directory.complete


async def test_a_namespace_forbidden_later_is_unserved_after_a_while_and_the_other_goes_on(start: Start) -> None:
    lists: dict[str, list[Any]] = {
        "one": [listing(piece("a", "10.0.0.1"))],
        "two": [listing(piece("b", "10.0.0.2", model="n", namespace="two")), web.Response(status=403)],
    }
    watched = await start(Script(lists, {"one": [[...]], "two": [web.Response(status=403)]}))
    await until(lambda: watched.directory.complete and watched.endpoints("n") == ("10.0.0.2:8000",))
    await until(lambda: watched.value("namespace_healthy", namespace="two") == 0)
    assert watched.endpoints("n") == ("10.0.0.2:8000",), "it may be the apiserver's mistake"
    watched.later_seconds = DROP_SECONDS
    await until(lambda: watched.endpoints("n") is None)
    assert watched.endpoints() == ("10.0.0.1:8000",)
    assert watched.directory.complete
    assert watched.directory.gone_seconds("10.0.0.2:8000") > 0 == watched.directory.gone_seconds("10.0.0.1:8000")
