"""What the edge reads before the answer: headers, pictures' outlines, delays, leases, claims."""

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.images import decoded, jpeg
from tests.support.scans import many_scans, progressive

from qwen3vl_client import protocol
from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.edge import images
from qwen3vl_vln.edge.identity import EVERYTHING, rights
from qwen3vl_vln.edge.wire import Bounds, read
from qwen3vl_vln.errors import LeaseBusyError, RobotBusyError, UnknownVersionError
from qwen3vl_vln.task.delays import Delay
from qwen3vl_vln.task.lease import Lease
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import FINISHED_MOST, Tasks

SCAN = b"\xff\xda"
BOUNDS = Bounds(max_bytes=200_000, max_pixels=2_000_000)


def test_the_server_reads_what_the_client_writes() -> None:
    odometry = protocol.Odometry(1.5, -2.0, 0.25, linear_mps=0.5, angular_rps=-0.125, epoch=7)
    data = protocol.message(42, 12.5, jpeg=jpeg(), odometry=odometry, force_key=True, blocked=True, camera=9)
    frame = read(data, 100.0, BOUNDS, Delay())
    assert frame is not None and frame.image == jpeg() and frame.fault is None
    assert (frame.sequence, frame.captured, frame.received_at) == (42, 12.5, 100.0)
    assert frame.force_key and frame.blocked and not frame.emergency_stop and frame.watchdog and frame.camera == 9
    assert frame.odometry is not None and frame.odometry.origin == 7
    assert (frame.odometry.pose.x, frame.odometry.pose.y, frame.odometry.pose.yaw) == (1.5, -2.0, 0.25)
    assert (frame.odometry.v, frame.odometry.w) == (0.5, -0.125)


def test_a_tick_has_no_picture_and_a_bare_jpeg_is_a_frame() -> None:
    tick = read(protocol.message(1, 0.0), 1.0, BOUNDS, Delay())
    bare = read(jpeg(), 1.0, BOUNDS, Delay())
    assert tick is not None and tick.image is None and tick.fault is None
    assert bare is not None and bare.image == jpeg() and bare.sequence is None


def test_a_longer_header_is_skipped() -> None:
    data = bytearray(protocol.message(1, 0.0, jpeg=jpeg()))
    data[4:6] = struct.pack("<H", 56)
    frame = read(bytes(data[:48]) + bytes(8) + jpeg(), 1.0, BOUNDS, Delay())
    assert frame is not None and frame.image == jpeg()


@pytest.mark.parametrize("change", [(0, b"XX"), (2, b"\x02"), (4, b"\x00\x00"), (4, b"\xff\xff")])
def test_another_version_or_an_impossible_length_is_refused(change: tuple[int, bytes]) -> None:
    data = bytearray(protocol.message(1, 0.0))
    at, value = change
    data[at : at + len(value)] = value
    with pytest.raises(UnknownVersionError):
        read(bytes(data), 1.0, BOUNDS, Delay())


def test_an_unknown_type_is_no_frame() -> None:
    data = bytearray(protocol.message(1, 0.0))
    data[3] = 9
    assert read(bytes(data), 1.0, BOUNDS, Delay()) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_odometry_that_is_no_number_is_marked(value: float) -> None:
    frame = read(protocol.message(1, 0.0, odometry=protocol.Odometry(value, 0, 0)), 1.0, BOUNDS, Delay())
    assert frame is not None and frame.odometry_bad and frame.odometry is None


@given(st.binary(max_size=200))
def test_rubbish_is_refused_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(UnknownVersionError):
        read(data, 1.0, BOUNDS, Delay())


def test_delay_counts_differences_only() -> None:
    delay = Delay()
    assert delay.of(1000.0, 5.0) == 0.0
    assert delay.of(1000.4, 5.1) == pytest.approx(0.3)
    assert delay.of(1000.5, 5.6) == 0.0, "the quickest so far is the measure"
    assert delay.of(1090.0, 95.0) == 0.0, "and is forgotten after a minute"


class TestPictures:
    def test_size(self) -> None:
        assert images.size(jpeg(96, 64)) == (96, 64)

    @pytest.mark.parametrize(
        ("data", "word"),
        [
            (b"\x89PNG....", "not a JPEG"),
            (b"", "not a JPEG"),
            (jpeg()[:-40], "cut off"),
            (b"\xff\xd8\xff\xe0\x00\x02" + bytes(40) + b"\xff\xd9", "header"),
            (jpeg(2000, 1500), "pixels"),
        ],
    )
    def test_what_is_wrong_is_said(self, data: bytes, word: str) -> None:
        assert word in str(images.problem(data, max_bytes=10**7, max_pixels=10**6))

    @given(st.binary(max_size=300))
    def test_any_bytes(self, data: bytes) -> None:
        images.problem(b"\xff\xd8\xff" + data + b"\xff\xd9", max_bytes=10**6, max_pixels=10**6)

    def test_a_picture_of_many_scans_is_refused_by_its_markers(self) -> None:
        assert "12 scans" in str(images.problem(many_scans(1024, 1024, 13), max_bytes=10**6, max_pixels=2**20))
        assert images.problem(many_scans(1024, 1024, 12), max_bytes=10**6, max_pixels=2**20) is None
        usual = progressive(640, 480)
        assert usual.count(SCAN) == 10 and images.problem(usual, max_bytes=10**6, max_pixels=10**6) is None

    @pytest.mark.parametrize("data", [jpeg(), progressive(64, 48)], ids=["baseline", "progressive"])
    def test_scans_of_embedded_pictures_do_not_count(self, data: bytes) -> None:
        embedding = data[:2] + b"\xff\xe1\x00\x80" + SCAN * 63 + data[2:]
        assert decoded(embedding).shape == (48, 64, 3)
        assert images.problem(embedding, max_bytes=10**6, max_pixels=10**6) is None

    def test_fill_bytes_hide_no_large_picture(self) -> None:
        large = jpeg(2000, 1500)
        at = large.index(b"\xff\xc0")
        # Who took the second byte for a marker would go on behind a length that stands in the picture's own header.
        filled = large[:at] + b"\xff" * 3 + large[at:]
        assert decoded(filled).shape == (1500, 2000, 3)
        assert "pixels" in str(images.problem(filled, max_bytes=10**7, max_pixels=10**6))

    def test_two_sizes_are_one_too_many(self) -> None:
        data = jpeg()
        at = data.index(b"\xff\xc0")
        twice = data[:at] + data[at : at + 19] + data[at:]
        assert "header" in str(images.problem(twice, max_bytes=10**6, max_pixels=10**6))

    def test_a_fault_comes_with_the_frame(self) -> None:
        frame = read(protocol.message(1, 0.0, jpeg=jpeg()[:-40]), 1.0, BOUNDS, Delay())
        assert frame is not None and frame.fault is Reason.UNUSABLE_FRAME


class TestLease:
    def test_another_writer_waits_for_silence(self) -> None:
        lease = Lease()
        first = lease.grant("a", 10.0)
        assert lease.holds("a", first, 11.0)
        with pytest.raises(LeaseBusyError, match="'a'"):
            lease.grant("b", 12.9)
        second = lease.grant("b", 13.1)
        assert second > first and not lease.holds("a", first, 13.2)

    def test_takeover_and_the_same_writer_need_no_wait(self) -> None:
        lease = Lease()
        first = lease.grant("a", 10.0)
        assert lease.grant("a", 10.1) == first + 1
        assert lease.grant("b", 10.2, takeover=True) == first + 2

    def test_another_run_waits_until_the_first_is_closed_or_silent_for_half_a_second(self) -> None:
        lease = Lease()
        first = lease.grant("a", 10.0, run="1")
        assert lease.holds("a", first, 11.0, run="1") and not lease.holds("a", None, 11.0, run="2")
        with pytest.raises(LeaseBusyError, match="another run of writer 'a'"):
            lease.grant("a", 11.4, run="2")
        assert lease.grant("a", 11.4, run="1") == first + 1, "the same run needs no wait"
        assert lease.holds("a", first + 1, 11.5, run="1")
        assert lease.grant("a", 12.0, run="2") == first + 2, "half a second was silent"
        assert lease.holds("a", first + 2, 12.0, run="2")
        lease.close(first)
        with pytest.raises(LeaseBusyError):
            lease.grant("a", 12.1, run="3")
        lease.close(first + 2)
        assert lease.grant("a", 12.1, run="3") == first + 3
        lease.holds("a", first + 3, 12.1, run="3")
        lease.close(first + 3)
        with pytest.raises(LeaseBusyError):
            lease.grant("b", 12.2)

    def test_a_frame_without_a_run_is_not_of_the_run_that_drives(self) -> None:
        lease = Lease()
        lease.holds("a", lease.grant("a", 10.0, run="1"), 10.0, run="1")
        assert not lease.holds("a", None, 10.1)


class TestTasks:
    def test_a_robot_has_one_unfinished_task(self) -> None:
        tasks = Tasks("boot")
        entry = tasks.add("a", Settings("go2", "walk"), 0.0)
        with pytest.raises(RobotBusyError, match="'a'"):
            tasks.add("b", Settings("go2", "walk"), 0.0)
        entry.task.stop(1.0, 1.0)
        tasks.add("b", Settings("go2", "walk"), 0.0)

    def test_a_cursor_gives_what_changed(self) -> None:
        tasks = Tasks("boot")
        first = tasks.add("a", Settings("r1", "walk"), 0.0)
        tasks.add("b", Settings("r2", "walk"), 0.0)
        cursor = tasks.cursor
        assert tasks.since(cursor) == [] and len(tasks.since(None)) == 2
        tasks.touch(first)
        assert tasks.since(cursor) == [first]
        assert len(tasks.since("another:99")) == 2, "a cursor of another process means everything"

    def test_finished_tasks_are_kept_for_ten_minutes_and_a_thousand_at_most(self) -> None:
        tasks = Tasks("boot")
        for number in range(FINISHED_MOST + 5):
            tasks.add(f"t{number}", Settings(f"r{number}", "walk"), 0.0).task.stop(float(number), 0.0)
        assert tasks.sweep(500.0) == [f"t{number}" for number in range(5)], "the oldest of too many"
        assert tasks.sweep(1000.0) == [f"t{number}" for number in range(5, 400)], "those of more than ten minutes ago"
        assert tasks.sweep(1000.0) == []


def test_rights_are_in_the_entry_s_name() -> None:
    assert rights("go2-01") == EVERYTHING
    assert rights("dashboard.view") == {"view"}
    assert rights("panel.view.stop") == {"view", "stop"}
    assert rights("lab.go2.view") == {"view"}


def test_a_misspelt_right_gives_nothing() -> None:
    assert rights("dashboard.veiw") == frozenset()
    assert rights("panel.view.stpo") == {"view"}
