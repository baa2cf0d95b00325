"""Bodies that become complete at the same moment: what they become on the way to an engine is not in memory at once."""

import os
import signal
import socket
from pathlib import Path

import pytest
from tests.support.gateway_process import KEY, GatewayProcess, gateway_running, stub_engine_beside
from tests.support.polling import eventually

BODIES = 36
MOST_MIB = 350
MESSAGES = b'{"model":"m","messages":[' + b",".join([b'{"role":"user"}'] * 65_500) + b" " * 5_000 + b"]}"
WIDE_TEXT = '{"model":"m","messages":[{"role":"user","content":"\N{ROBOT FACE}'.encode() + b"a" * 4_000_000 + b'"}]}'
"""One character beyond the first 65,536 makes each of a Python string four bytes."""


@pytest.mark.parametrize(("body", "count", "status"), [(MESSAGES, BODIES, 400), (WIDE_TEXT, 11, 200)])
def test_bodies_that_end_at_once_are_read_one_after_another(
    body: bytes, count: int, status: int, tmp_path: Path
) -> None:
    with stub_engine_beside() as engine, gateway_running(tmp_path, engine.address) as gateway:
        at_rest, size_mib = gateway.rss_mib, count * len(body) / (1 << 20)
        clients = [_all_but_the_last_byte(gateway, body) for _ in range(count)]
        eventually(lambda: gateway.rss_mib > at_rest + 0.95 * size_mib, 10, "the bodies are read")
        # As when it was busy for a moment.
        os.kill(gateway.process.pid, signal.SIGSTOP)
        for client in clients:
            client.sendall(body[-1:])
        os.kill(gateway.process.pid, signal.SIGCONT)
        answers = [client.recv(4096) for client in clients]
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 %d" % status}
        assert gateway.peak_mib < MOST_MIB
        for client in clients:
            client.close()


def _all_but_the_last_byte(gateway: GatewayProcess, body: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=30)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {KEY}\r\n"
    client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body[:-1])
    return client
