"""No body becomes more than it is: memory beside the body, and work between two turns of the loop, are bounded.

Each body is read in a process of its own, whose peak tells what the reading took.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import chat, data_url, image, passed_on, png_of

from qwen3vl_server.gateway.request.limits import MAX_TEXT_BYTES, SLICE_BYTES
from qwen3vl_server.gateway.request.skeleton import cut

MOST_MIB = 60
BODY_BYTES = 33_000_000
END = b"\x7f\xff\xff\xffIDAT"
"""Begins the pixels of a PNG: what follows is nobody's header."""
SMALL = [b"{}", b"[]", b'"ab"', b'{"a":1}']
PLACES = [
    "x",
    "messages",
    "stop",
    "tools",
    "logit_bias",
    "metadata",
    "stop_token_ids",
    "modalities",
    "functions",
    "response_format",
]
SHAPED = {
    "messages that are as small as can be": (b'{"messages":[', b'{"role":""}', b"]}"),
    "messages without content": (b'{"messages":[', b'{"role":"assistant"}', b"]}"),
    "parts that are as small as can be": (b'{"messages":[{"role":"user","content":[', b'{"type":""}', b"]}]}"),
    "text parts": (b'{"messages":[{"role":"user","content":[', b'{"type":"text","text":""}', b"]}]}"),
    "empty parts": (b'{"messages":[{"role":"user","content":[', b"{}", b"]}]}"),
    "empty calls": (b'{"messages":[{"role":"assistant","tool_calls":[', b"{}", b"]}]}"),
    "calls": (
        b'{"messages":[{"role":"assistant","tool_calls":[',
        b'{"function":{"name":"","arguments":""}}',
        b"]}]}",
    ),
    "arguments of lists": (
        b'{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"","arguments":"[\\"\\\\u0041\\",',
        b"[]",
        b']"}}]}]}',
    ),
    "annotations": (b'{"messages":[{"role":"user","content":"","annotations":[', b"{}", b"]}]}"),
    "cache controls": (b'{"messages":[{"role":"user","content":[{"type":"text","cache_control":[', b"{}", b"]}]}]}"),
    "a schema of lists": (
        b'{"messages":[{"role":"user","content":""}],"response_format":{"type":"json_schema","json_schema":'
        b'{"name":"a","schema":{"a":[',
        b"[]",
        b"]}}}}",
    ),
    "a schema of keys": (
        b'{"messages":[{"role":"user","content":""}],"tools":[{"type":"function","function":{"name":"a","parameters":{"a":[',
        b'{"a":{}}',
        b"]}}}]}",
    ),
    "one key again and again": (b'{"messages":[],', b'"user":1', b',"n":1}'),
    "one name of many": (b'{"', b"\xf0\x9f\xa4\x96", b'":1}'),
    "pictures without data": (b'{"messages":[{"role":"user","content":[', b'"data:;base64,"', b"]}]}"),
    "marks": (b'{"messages":[{"role":"user","content":"', b";base64,", b'"}]}'),
}
CHILD = """
import asyncio, os, sys
from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request import CHAT_PATH, Limits, finish, read

def kib(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name + ":"))

async def ask(body):
    try:
        await finish(read(CHAT_PATH, body), engine="vllm", model="m", context_length=4096, limits=Limits(1 << 25, 64))
        return "passed"
    except InvalidRequest as error:
        return error.code

asyncio.run(ask(b'{"model": "m", "messages": [{"role": "user", "content": "hi"}], "tools": [], "stop": "a"}'))
for line in sys.stdin:
    # A peak never falls, and freed memory would hide the next one's: a process for each body.
    if child := os.fork():
        if os.waitpid(child, 0)[1]:
            print("broken 0", flush=True)
        continue
    body = open(line.strip(), "rb").read()
    before = kib("VmRSS")
    code = asyncio.run(ask(body))
    print(code, kib("VmHWM") - before, flush=True)
    os._exit(0)
"""


def bodies() -> Iterator[tuple[str, bytes, bytes, bytes]]:
    for place in PLACES:
        for item in SMALL:
            yield f"{place}: {item!r}", b'{"model":"m","' + place.encode() + b'":[', item, b"]}"
    for name, (start, item, end) in SHAPED.items():
        yield name, start, item, end


def filled(start: bytes, item: bytes, end: bytes, size: int) -> bytes:
    comma = b"" if item in (b";base64,", b"\xf0\x9f\xa4\x96") else b","
    each = item + comma
    return start + each * ((size - len(start) - len(end)) // len(each)) + (item if comma else b"") + end


@pytest.fixture(scope="module")
def reader() -> Iterator[subprocess.Popen[str]]:
    """A process that reads the bodies whose paths it is told, and says what became of them and how many KiB it took."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def told(reader: subprocess.Popen[str], path: Path) -> tuple[str, int]:
    assert reader.stdin is not None and reader.stdout is not None
    reader.stdin.write(f"{path}\n")
    reader.stdin.flush()
    code, kib = reader.stdout.readline().split()
    assert code != "broken", "no refusal but another error: see standard error"
    return code, int(kib) // 1024


@pytest.mark.parametrize("size", [BODY_BYTES, MAX_TEXT_BYTES - 100, (1 << 20) - 200])
def test_no_body_of_many_small_values_takes_more_than_its_share(
    size: int, tmp_path: Path, reader: subprocess.Popen[str]
) -> None:
    path = tmp_path / "body"
    grown: dict[str, tuple[str, int]] = {}
    for name, start, item, end in bodies():
        if size == BODY_BYTES and item in SMALL[1:]:
            continue  # refused by its length; one of each place will do
        path.write_bytes(filled(start, item, end, size))
        grown[name] = told(reader, path)
    assert {name: found for name, found in grown.items() if found[1] > MOST_MIB} == {}
    assert len(grown) > 20


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("pictures", [1, 16])
def test_pictures_of_33_mb_are_copied_once(
    pictures: int, escaped: bool, tmp_path: Path, reader: subprocess.Popen[str]
) -> None:
    body = chat(*[image(data_url(png_of(64, 48) + END + bytes(BODY_BYTES // pictures // 4 * 3)))] * pictures)
    path = tmp_path / "body"
    path.write_bytes(body.replace(b"/", b"\\/") if escaped else body)
    code, mib = told(reader, path)
    assert code == "passed"
    assert len(body) / (1 << 20) - 1 < mib < MOST_MIB


class Turns:
    """Counts how often a coroutine gives the loop a turn."""

    def __init__(self) -> None:
        self.count = 0

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1


@pytest.mark.parametrize("mebibytes", [1, 8, 24])
@pytest.mark.parametrize("pictures", [1, 4])
async def test_the_loop_gets_a_turn_after_each_mebibyte(mebibytes: int, pictures: int) -> None:
    size = mebibytes * SLICE_BYTES // pictures
    body = chat(*[image(data_url(png_of(64, 48) + END + bytes(size // 4 * 3)))] * pictures)
    turns = Turns()
    watcher = asyncio.create_task(turns.watch())
    await asyncio.sleep(0)
    begun = turns.count
    answer = await passed_on(body)
    watcher.cancel()
    assert turns.count - begun >= mebibytes - 1
    assert json.loads(answer.body)["messages"] == json.loads(body)["messages"]


async def test_a_small_request_waits_for_nobody() -> None:
    turns = Turns()
    watcher = asyncio.create_task(turns.watch())
    await asyncio.sleep(0)
    begun = turns.count
    await passed_on(chat(image(data_url(png_of(64, 48) + END + bytes(60_000)))))
    watcher.cancel()
    assert turns.count == begun


def test_a_string_of_many_marks_is_searched_once() -> None:
    class Counted(bytes):
        searched = 0

        def count(self, *asked: Any) -> int:
            Counted.searched += asked[2] - asked[1]
            return super().count(*asked)

    text = b"data:" + b";base64," * 15 + b"\\n" * 100_000
    skeleton, runs = cut(Counted(b'{"messages":[{"role":"user","content":"' + text + b'"}]}'))
    assert (len(skeleton) > len(text), runs) == (True, ())
    assert 0 < Counted.searched <= 2 * len(text)
