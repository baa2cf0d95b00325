"""The two servers beside the one that is measured: an engine with one plan, and an echo on the same stack."""

import asyncio
import json
from typing import cast

ANSWER = '{"reached_goal": false, "waypoints": [{"dx": 0.5, "dy": 0.0, "dtheta": 0.1}], "action": "forward"}'
STREAM_PIECES = 4


def events() -> list[bytes]:
    """The answer as an engine streams it, in a few pieces."""
    size = -(-len(ANSWER) // STREAM_PIECES)
    deltas: list[dict[str, object]] = [
        {"delta": {"content": ANSWER[at : at + size]}, "finish_reason": None} for at in range(0, len(ANSWER), size)
    ]
    deltas.append({"delta": {}, "finish_reason": "stop"})
    lines = [b"data: %s\n\n" % json.dumps({"choices": [delta]}).encode() for delta in deltas]
    return [*lines[:-1], lines[-1] + b"data: [DONE]\n\n"]


def serve_model(port: int, seconds: float) -> None:
    """An engine that always answers with the same plan, streamed, the end after `seconds`; `GET /slow/<seconds>`
    changes that."""
    import uvloop

    pieces = events()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    state = {"seconds": seconds}

    class Model(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport, self.head, self.left = cast(asyncio.Transport, transport), b"", 0

        def data_received(self, data: bytes) -> None:
            if not self.left:
                self.head += data
                end = self.head.find(b"\r\n\r\n")
                if end < 0:
                    return
                if self.head.startswith(b"GET /slow/"):
                    state["seconds"] = float(self.head.split(b" ", 2)[1].removeprefix(b"/slow/"))
                    self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                    self.head = b""
                    return
                length = int(self.head[:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
                self.left, data, self.head = length, self.head[end + 4 :], b""
            self.left -= len(data)
            if self.left <= 0:
                self.left = 0
                self.transport.write(head)
                for number, piece in enumerate(pieces, 1):
                    due = state["seconds"] * number / len(pieces)
                    asyncio.get_running_loop().call_later(due, self.write, piece, number == len(pieces))

        def write(self, piece: bytes, last: bool) -> None:
            if not self.transport.is_closing():
                self.transport.write(b"%x\r\n%s\r\n%s" % (len(piece), piece, b"0\r\n\r\n" if last else b""))

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Model, "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(serve())


def serve_echo(port: int) -> None:
    """The least that the same server stack can do: something of an answer's size for every frame."""
    import uvicorn
    from starlette.types import Receive, Scope, Send

    answer = json.dumps({"task_id": "echo", "filler": "x" * 500})

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            while (await receive()).get("more_body"):
                pass
            body = (answer[:-1] + "}").encode()
            head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await send({"type": "http.response.body", "body": body})
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (got := await receive())["type"] == "websocket.receive":
            if not got.get("bytes"):
                continue
            sequence = int.from_bytes(got["bytes"][8:12], "little")
            await send({"type": "websocket.send", "text": f'{{"seq":{sequence},"state":"moving",{answer[1:]}'})

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="error",
        lifespan="off",
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_max_size=1 << 22,
    )
    uvicorn.Server(config).run()
