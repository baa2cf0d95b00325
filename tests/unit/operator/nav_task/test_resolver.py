"""A name server that does not answer is felt by nobody but those who ask it."""

import asyncio
import socket
import threading

import pytest

from qwen3vl_operator.nav_task.resolver import AT_ONCE, Resolver


async def test_lookups_that_hang_leave_the_loops_own_threads_free(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    real = socket.getaddrinfo

    def slow(host: str, *rest: object, **more: object) -> object:
        if host.startswith("slow"):
            answer.wait(10)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **more)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    resolver = Resolver()
    asked = [asyncio.create_task(resolver.resolve(f"slow-{number}", 80)) for number in range(AT_ONCE - 1)]
    try:
        async with asyncio.timeout(5):
            (found, *_) = await resolver.resolve("127.0.0.1", 80)
            assert (found["host"], found["port"], found["family"]) == ("127.0.0.1", 80, socket.AF_INET)
            assert await asyncio.to_thread(lambda: 7) == 7
    finally:
        answer.set()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in results} == {socket.gaierror}


async def test_who_asks_may_leave_before_there_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(10) and [])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Resolver().resolve("slow", 80)
    answer.set()
