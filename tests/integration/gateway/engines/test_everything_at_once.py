"""Whatever engines do, and whoever leaves: every request ends as it should, it is counted once, and nothing is left."""

import asyncio
import logging
import random

import pytest
from tests.integration.gateway.engines.scripted import (
    DONE,
    STREAM_HEAD,
    Asked,
    Client,
    House,
    Reply,
    Run,
    Scripted,
    Visit,
    chunk,
    cut_after,
    error_event,
    house,
    on_both_loops,
    plain,
    stream,
)
from tests.support.polling import until

EVENT = b'data: {"choices": []}\n\n'
SEEDS = range(4)
BODIES = {b'{"ok": 1}', EVENT + DONE, b"{}"}


async def slowly(visit: Visit) -> None:
    for _ in range(3):
        await asyncio.sleep(0)
    visit.write(stream(EVENT, DONE))


REPLIES: list[bytes | Reply] = [
    plain(),
    plain(),
    stream(EVENT, DONE),
    lambda visit: visit.later(slowly(visit)),
    plain(b"{}", 200, b"connection: close"),
    plain(b"no", 500),
    plain(b"no", 503),
    plain(b"no", 422),
    plain(b"no", 302),
    Visit.abort,
    lambda visit: visit.transport.close(),
    b"rubbish\r\n\r\n",
    plain() + b"rubbish",
    cut_after(STREAM_HEAD + chunk(EVENT)),
    stream(EVENT, error_event(message="no", code=500), DONE),
]


@on_both_loops
@pytest.mark.parametrize("seed", SEEDS)
def test_every_request_ends_and_nothing_is_left(run: Run, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    draw = random.Random(seed)

    def engine() -> Scripted:
        return Scripted([draw.choice(REPLIES) for _ in range(400)])

    async def one_client(one: House, clients: list[Client], cancelled: list[Client]) -> None:
        for _ in range(25):
            client = Client()
            body = b"y" * draw.choice([10, 10, 2_000_000])
            asking = asyncio.create_task(one.hand_to(client, Asked(body, stream=draw.random() < 0.5)))
            if draw.random() < 0.2:
                for _ in range(draw.randrange(6)):
                    await asyncio.sleep(0)
                asking.cancel()
            await asyncio.wait([asking])
            (cancelled if asking.cancelled() else clients).append(client)
            if not asking.cancelled():
                asking.result()

    async def main() -> None:
        scripted = [engine() for _ in range(3)]
        async with house(*scripted, more=["127.0.0.1:9"]) as one:
            clients: list[Client] = []
            cancelled: list[Client] = []
            await asyncio.gather(*(one_client(one, clients, cancelled) for _ in range(6)))
            assert len(clients) + len(cancelled) == 150
            assert clients
            assert cancelled
            for client in clients:
                assert client.released == 1
                assert client.ended is (client.error is None)
                if client.error is None:
                    assert client.body in BODIES
                else:
                    assert client.error.status in (422, 502, 503)
            assert all(client.released == 1 for client in cancelled if client.started)
            answered = sum(len(engine.requests) for engine in scripted)
            # Each try was one request's first, or a retry that was counted; who left may have had none.
            retries = sum(
                one.metric("upstream_retries_total", reason=reason)
                for reason in ("connect", "closed", "unavailable", "status_500")
            )
            assert answered <= 150 + retries
            await until(lambda: one.metric("open_upstream_connections") == 0)
            assert one.engines._in_flight == {}
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []

    run(main())
