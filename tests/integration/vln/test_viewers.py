"""Pictures for people, from the real processes: what they show, who may look, and that a robot does not notice."""

import asyncio
import base64
import contextlib
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.integration.vln.conftest import FORWARD, Chain, base, child_of
from tests.support.images import jpeg
from tests.support.polling import until

VIEW_KEY, STOP_KEY = "view-key", "stop-key"
SLOW = {"limits": {"linearMetersPerSecond": 0.05, "angularRadiansPerSecond": 0.05, "maxPlanAgeSeconds": 60}}


def plan(side: float) -> dict[str, object]:
    point = {"dx": 0.8, "dy": 0.25 * side, "dtheta": 0.4 * side}
    return FORWARD | {"waypoints": [point, point]}


def pixels(data: bytes) -> npt.NDArray[np.int16]:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.int16)


async def look(chain: Chain, path: str, key: str | None = VIEW_KEY) -> tuple[int, bytes]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with chain.http.get(chain.vln.url + path, headers=headers) as response:
        return response.status, await response.read()


async def count(chain: Chain, name: str) -> float:
    _, text = await look(chain, "/metrics")
    found = re.search(rf"^{re.escape(name)} (\S+)$", text.decode(), re.MULTILINE)
    return float(found[1]) if found else 0.0


async def rendered(chain: Chain) -> float:
    return await count(chain, 'qwen3vl_vln_pictures_rendered_total{drawn="true"}')


@contextlib.asynccontextmanager
async def watching(chain: Chain, path: str, key: str | None = VIEW_KEY) -> AsyncIterator[aiohttp.MultipartReader]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with chain.http.get(chain.vln.url + path, headers=headers) as response:
        assert response.status == 200, await response.text()
        yield aiohttp.MultipartReader.from_response(response).stream


async def pictures(stream: aiohttp.MultipartReader, number: int) -> list[bytes]:
    """The next pictures of a stream; fewer when it ends."""
    seen: list[bytes] = []
    async with asyncio.timeout(20):
        while len(seen) < number and (part := await stream.next()) is not None:
            assert isinstance(part, aiohttp.BodyPartReader) and part.headers["content-type"] == "image/jpeg"
            seen.append(bytes(await part.read()))
    return seen


@contextlib.contextmanager
def stalled_viewer(chain: Chain, path: str) -> Iterator[None]:
    """One who watches and reads nothing."""
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", chain.vln.port))
        stalled.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {VIEW_KEY}\r\n\r\n".encode())
        yield


async def counted(chain: Chain, name: str, value: float, seconds: float = 10.0) -> None:
    """Wait until a metric has this value."""

    async def there() -> bool:
        return await count(chain, name) == value

    await until(there, seconds, f"{name} is {value:g}")


class TestPictures:
    @pytest.mark.parametrize("side", [1.0, -1.0], ids=["left", "right"])
    async def test_a_snapshot_shows_the_plan_on_its_side(self, chain: Chain, side: float) -> None:
        await chain.says(plan(side))
        task = await chain.create(**SLOW)
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: told.state == "moving")
            status, data = await look(chain, f"/vln/task/{task}/snapshot")
        assert status == 200
        picture = cv2.blur(pixels(data), (9, 9))
        height, width, _ = picture.shape
        assert (width, height) == (320, 240)
        floor = picture[height // 2 : height * 3 // 4]
        # The camera of these tests sees noise, which is grey when it is blurred.
        path = np.nonzero(floor[..., 1] - floor[..., 0] > 45)[1]
        assert path.size > 200, "no path is to be seen"
        assert (path.mean() < width / 2 - 20) if side > 0 else (path.mean() > width / 2 + 20)

    async def test_several_watch_and_one_of_them_reads_nothing(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create(**SLOW)
        path = f"/vln/task/{task}/view"
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: told.state == "moving")
            before = await rendered(chain)
            with stalled_viewer(chain, path):
                async with contextlib.AsyncExitStack() as stack:
                    streams = [await stack.enter_async_context(watching(chain, path)) for _ in range(4)]
                    began = asyncio.get_running_loop().time()
                    seen = await asyncio.gather(*(pictures(stream, 12) for stream in streams))
                    seconds = asyncio.get_running_loop().time() - began
                    drawn = await rendered(chain) - before
            assert [len(each) for each in seen] == [12] * 4
            assert len(set(seen[0])) == 12, "every one is another picture"
            assert drawn <= seconds * 11 + 5, "each picture is drawn once for all viewers"
            told = [command.state for at, command in robot.log if at >= began]
            assert told.count("moving") > 0.9 * len(told) > 20, "a robot that is watched by five drives on"

    async def test_nothing_is_drawn_while_nobody_watches(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create(**SLOW)
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: told.state == "moving")
            assert await rendered(chain) == 0
            async with watching(chain, f"/vln/task/{task}/view") as stream:
                assert len(await pictures(stream, 3)) == 3
                assert await count(chain, "qwen3vl_vln_viewers") == 1
            await counted(chain, "qwen3vl_vln_viewers", 0)
            # One may still be in the worker's hands; what comes after that is none.
            sent = robot.pictures
            await robot.until(lambda _: robot.pictures >= sent + 2)
            before, sent = await rendered(chain), robot.pictures
            assert before >= 3
            await robot.until(lambda _: robot.pictures >= sent + 10)
            assert await rendered(chain) == before

    async def test_the_end_of_the_task_is_the_last_picture(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create(**SLOW)
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: told.state == "moving")
            async with watching(chain, f"/vln/task/{task}/view") as stream:
                await pictures(stream, 2)
                await chain.ask("POST", f"/vln/task/{task}/stop")
                left = await pictures(stream, 1000)
        blue, green, red = pixels(left[-1])[2:12, 200:310].reshape(-1, 3).mean(axis=0)
        assert red > 150 and blue < 90 and green < 90, "stopped is red"
        status, body = await chain.ask("GET", f"/vln/task/{task}/snapshot", key=VIEW_KEY)
        assert status == 404 and body["error"]["code"] == "ended"

    async def test_pictures_come_back_with_a_new_worker(self, chain: Chain) -> None:
        await chain.says(FORWARD)
        task = await chain.create(**SLOW)
        async with base(chain, f"/vln/ws/{task}"), watching(chain, f"/vln/task/{task}/view") as stream:
            assert len(await pictures(stream, 3)) == 3
            assert chain.vln.process is not None
            os.kill(child_of(chain.vln.process.pid), signal.SIGKILL)
            assert len(await pictures(stream, 12)) == 12

    async def test_a_view_by_the_name_of_the_robot(self, chain: Chain) -> None:
        task = await chain.create(robot="go2")
        async with base(chain, f"/vln/ws/{task}"), watching(chain, "/vln/robot/go2/view") as stream:
            assert len(await pictures(stream, 2)) == 2
        assert (await look(chain, "/vln/robot/nobody/view"))[0] == 404

    async def test_a_viewer_that_takes_nothing_is_given_up(self, chain: Chain) -> None:
        task = await chain.create()
        async with base(chain, f"/vln/ws/{task}"):
            with stalled_viewer(chain, f"/vln/task/{task}/view"):
                await counted(chain, "qwen3vl_vln_viewers", 1)
                await counted(chain, "qwen3vl_vln_viewers", 0, seconds=30)

    async def test_viewers_do_not_keep_the_server_from_ending(self, chain: Chain) -> None:
        task = await chain.create()
        path = f"/vln/task/{task}/view"
        async with base(chain, f"/vln/ws/{task}"), watching(chain, path) as stream:
            with stalled_viewer(chain, path):
                await pictures(stream, 3)
                assert chain.vln.process is not None
                chain.vln.process.terminate()
                left = await pictures(stream, 1000)
                assert len(left) < 1000
                await asyncio.wait_for(chain.vln.process.wait(), 20)


class TestAnswers:
    async def test_answers_have_pictures_only_where_they_were_asked_for(self, chain: Chain) -> None:
        plain, wanted = await chain.create(), await chain.create(enable_visualization=True)
        found: dict[str, str | None] = {}
        async with asyncio.timeout(20):
            for seed in range(1000):
                for task in (plain, wanted):
                    frame = base64.b64encode(jpeg(320, 240, seed % 40)).decode()
                    status, body = await chain.ask("POST", "/vln/frame", {"task_id": task, "frame": frame})
                    assert status == 200
                    found[task] = body["visualized_frame"]
                    assert seed or found[task] is None, "the first answer waits for no picture"
                if found[wanted]:
                    break
                await asyncio.sleep(0.05)
        assert found[plain] is None
        assert pixels(base64.b64decode(found[wanted] or "")).shape == (240, 320, 3)


class TestWhoMayLook:
    async def test_rights(self, chain: Chain) -> None:
        task = await chain.create()
        for path in ("view", "snapshot"):
            assert (await look(chain, f"/vln/task/{task}/{path}", STOP_KEY))[0] == 403
            assert (await look(chain, f"/vln/task/{task}/{path}", None))[0] == 401
        assert (await chain.ask("POST", f"/vln/task/{task}/ticket", key=STOP_KEY))[0] == 403
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: told.state != "waiting" or robot.pictures > 3)
            assert (await look(chain, f"/vln/task/{task}/snapshot", VIEW_KEY))[0] == 200

    async def test_a_ticket_opens_one_view_once_and_nothing_else(self, chain: Chain) -> None:
        task, other = await chain.create(), await chain.create()
        tickets = []
        for _ in range(3):
            status, body = await chain.ask("POST", f"/vln/task/{task}/ticket", key=VIEW_KEY)
            assert status == 200 and body["expires_in"] == 60
            assert body["url"] == f"/vln/task/{task}/view?ticket={body['ticket']}"
            tickets.append(body["ticket"])
        async with base(chain, f"/vln/ws/{task}"):
            async with watching(chain, f"/vln/task/{task}/view?ticket={tickets[0]}", key=None) as stream:
                assert len(await pictures(stream, 1)) == 1
            status, text = await look(chain, f"/vln/task/{task}/view?ticket={tickets[0]}", None)
            assert status == 401 and b"good once" in text and tickets[0].encode() not in text
            assert (await look(chain, f"/vln/task/{other}/view?ticket={tickets[1]}", None))[0] == 401
            assert (await look(chain, f"/vln/task/{task}/view?ticket={tickets[1]}", None))[0] == 401, "it was used"
            status, _ = await chain.ask("POST", f"/vln/task/{task}/stop?ticket={tickets[2]}", key=None)
            assert status == 401
            assert (await chain.ask("GET", f"/vln/task/{task}?ticket={tickets[2]}", key=None))[0] == 401
        log = chain.vln.log.read_text()
        assert not [ticket for ticket in tickets if ticket in log] and VIEW_KEY not in log

    async def test_what_cannot_be_shown_is_told(self, chain: Chain) -> None:
        assert (await look(chain, "/vln/task/nothing/view"))[0] == 404
        task = await chain.create()
        status, body = await chain.ask("GET", f"/vln/task/{task}/snapshot", key=VIEW_KEY)
        assert status == 503 and body["error"]["code"] == "no_picture" and "not sent a picture" in body["detail"]

    async def test_no_more_viewers_than_a_task_may_have(self, chain: Chain) -> None:
        task = await chain.create()
        path = f"/vln/task/{task}/view"
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(watching(chain, path))
            status, body = await chain.ask("GET", path, key=VIEW_KEY)
            assert status == 429 and body["error"]["code"] == "too_many_viewers" and "8 viewers" in body["detail"]
        await counted(chain, "qwen3vl_vln_viewers", 0)
        async with watching(chain, path):
            assert await count(chain, "qwen3vl_vln_viewers") == 1
