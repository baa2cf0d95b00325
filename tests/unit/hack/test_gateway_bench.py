"""The gateway's bench: medians of blocks, the search for the highest rate, streams cut anywhere, what is missing."""

import asyncio
import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hack.bench.gatewaybench import contenders, streaming, stub, usage
from hack.bench.gatewaybench.asking import is_whole, picture_request
from hack.bench.gatewaybench.figures import Block, quantile, request_figures, rounded
from hack.bench.gatewaybench.options import PREVIOUS, parse
from hack.bench.gatewaybench.report import Unavailable
from hack.bench.gatewaybench.schedule import MARK, Schedule, chunked, event
from hack.bench.gatewaybench.search import highest_rate
from hack.bench.gatewaybench.streaming import Stream, watched
from tests.support.polling import until
from tests.support.processes import free_port

ROOT = Path(__file__).resolve().parents[3]


def _blocks(*cpu_us: float, latency_ms: float = 1.0) -> list[Block]:
    return [Block([latency_ms / 1000] * 100, seconds=0.1, cpu_seconds=100 * one / 1e6) for one in cpu_us]


def test_a_figure_is_the_median_of_its_blocks_so_that_one_disturbed_block_says_nothing() -> None:
    paced = {"gateway": _blocks(1, 1, latency_ms=2), "previous": [], "nginx": [], "stub": _blocks(0, latency_ms=0.5)}
    saturated = {"gateway": _blocks(200, 9000, 180), "previous": [], "nginx": _blocks(50), "stub": _blocks(0)}
    figures = request_figures(paced, saturated)
    assert figures["cpu_us_per_request"] == pytest.approx(200)
    assert figures["nginx_cpu_us_per_request"] == pytest.approx(50)
    assert figures["added_p50_ms"] == pytest.approx(1.5)
    assert figures["requests_per_second"] == figures["stub_requests_per_second"] == pytest.approx(1000)


def test_what_took_no_part_is_null_and_not_left_out() -> None:
    blocks = {"gateway": _blocks(200), "previous": [], "nginx": [], "stub": _blocks(0)}
    figures = rounded(dict(request_figures(blocks, blocks)))
    assert json.loads(json.dumps(figures))["previous_cpu_us_per_request"] is None
    assert figures["cpu_of_previous"] is None and figures["nginx_cpu_us_per_request"] is None
    assert not any("litellm" in name for name in figures)


def test_litellm_has_its_figures_where_it_took_part() -> None:
    blocks = {"gateway": _blocks(200), "previous": _blocks(400), "nginx": [], "stub": _blocks(0)}
    figures = request_figures(blocks | {"litellm": _blocks(9000, latency_ms=15)}, blocks | {"litellm": _blocks(9000)})
    assert figures["litellm_added_p50_ms"] == pytest.approx(14)
    assert figures["times_litellm"] == pytest.approx(1)
    assert figures["cpu_of_previous"] == pytest.approx(0.5)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_quantile_is_one_of_the_values(share: float, expected: int) -> None:
    assert quantile(list(range(1, 101)), share) == expected


@pytest.mark.parametrize("true", [2.0, 3.1, 17.0, 60.0])
async def test_the_search_ends_within_a_tenth_of_the_highest_rate(true: float) -> None:
    probes = []

    async def keeps_up(rate: float) -> bool:
        probes.append(rate)
        return rate <= true

    found = await highest_rate(keeps_up, known=2.0, most=64.0)
    assert found <= true < found * 1.1
    assert len(probes) <= 8


async def test_the_search_stops_at_the_highest_rate_that_is_offered() -> None:
    async def keeps_up(_: float) -> bool:
        return True

    assert await highest_rate(keeps_up, known=2.0, most=20.0) == 20.0


def test_a_schedule_goes_through_the_fields_of_a_request_as_64_bits() -> None:
    schedule = Schedule(start_ms=round(time.monotonic() * 1000), interval_us=500_000, count=40)
    fields = json.loads(json.dumps(schedule.fields()))
    assert Schedule.of(fields) == schedule
    assert fields["seed"] < 2**63
    assert schedule.due_us(3) - schedule.due_us(1) == 1_000_000


def test_events_are_found_wherever_the_bytes_of_a_stream_are_cut() -> None:
    due = [int(time.monotonic() * 1e6) + number * 1000 for number in range(4)]
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    sent = head + b"".join(chunked(event(one)) for one in [0, *due]) + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    for size in (1, 7, 100, len(sent)):
        stream = Stream(b"")
        stream.opened = size < len(b"HTTP/1.1 200")  # its status comes in one piece on loopback
        for begin in range(0, len(sent), size):
            stream.data_received(sent[begin : begin + size])
        assert [round(one * 1e6) for _, one in stream.arrivals] == due
        stream.connection_lost(None)
        assert not stream.error or size == 1, "the end is one chunk"


def test_late_and_missing_events_are_not_in_time_and_a_broken_stream_is_an_error() -> None:
    good, late, broken = Stream(b""), Stream(b""), Stream(b"")
    good.arrivals = [(10.0, 10.0), (10.5, 10.5)]
    late.arrivals = [(10.0, 10.0), (11.0, 10.5)]
    broken.arrivals = [(10.2, 10.0)]
    broken.fail("cut")
    seen = watched([good, late, broken], owed=6)
    assert seen.in_time == pytest.approx(4 / 6) and not seen.kept_up
    assert (seen.errors, seen.example) == (1, "cut")
    assert seen.gap_p99_seconds == pytest.approx(1.0)


async def test_streams_of_the_stub_are_watched_to_their_end() -> None:
    port = free_port()
    engine = asyncio.create_task(stub.serve(port))
    try:
        await until(lambda: _listens(port))
        seen = await streaming.watch(port, count=5, tokens_per_second=20, seconds=0.5)
    finally:
        engine.cancel()
        await asyncio.gather(engine, return_exceptions=True)
    assert (seen.errors, seen.example) == (0, "")
    assert seen.in_time > 0.5, "events come, and by the machine's load some of them late"
    assert seen.gap_p99_seconds is not None and 0.03 < seen.gap_p99_seconds < 5


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def test_an_answer_that_is_an_error_fails_its_stream() -> None:
    stream = Stream(b"")
    stream.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    assert "503" in stream.error


@pytest.mark.parametrize(
    ("received", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-le", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
    ],
)
def test_an_answer_is_whole_by_its_length_or_its_last_chunk(received: bytes, whole: bool) -> None:
    assert is_whole(received) is whole


def test_a_request_carries_60_kib_of_picture() -> None:
    head, _, body = picture_request().partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert 80 * 1024 <= len(body) < 83 * 1024


def test_processor_time_and_memory_are_those_of_the_process_and_its_children() -> None:
    burn = "import time; e = time.process_time() + 0.3\nwhile time.process_time() < e: pass"
    both = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {burn + chr(10) + 'time.sleep(60)'!r}])"
    )
    both = f"{both}\n{burn}\nprint('done', flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", both], stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            deadline = time.monotonic() + 20
            while usage.cpu_seconds(process.pid) < 0.58 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(usage.tree(process.pid)) == 2
            assert 0.58 <= usage.cpu_seconds(process.pid) < 2
            assert usage.rss_mib(process.pid) > 10
        finally:
            os.killpg(process.pid, 9)


def test_more_streams_than_files_may_be_open_are_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    assert usage.allow_open_files(1000) is None
    assert "ulimit -Hn" in (usage.allow_open_files(2000) or "")
    assert limits == [(2500, 4096), (4096, 4096)]


async def test_a_commit_that_is_not_in_the_clone_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"no commit 0{40} in this clone.*--unshallow"):
        async with contenders.previous(tmp_path, 1, "0" * 40):
            pass


async def test_a_missing_nginx_is_told_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(Unavailable, match=r"apt-get install .*nginx-light"):
        async with contenders.nginx(tmp_path, 1):
            pass


def test_the_line_has_the_streams_of_the_command() -> None:
    options = parse(["--json", "--streams", "0"])
    assert options.as_json and options.streams == 0 and options.previous == PREVIOUS
    with pytest.raises(SystemExit):
        parse(["--seconds", "0"])


def test_marks_are_found_in_events() -> None:
    assert MARK.findall(event(12) + event(34)) == [b"%016d" % 12, b"%016d" % 34]
    assert 150 <= len(event(0)) <= 220
