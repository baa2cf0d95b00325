"""The overlay: where a way on the floor appears in a picture, what is drawn, and words in any script."""

import logging
import math
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont
from tests.support.images import jpeg

from qwen3vl_common.navigation.settings import Camera
from qwen3vl_vln.ipc.messages import decode_to_worker
from qwen3vl_vln.ipc.messages import encode as encode_message
from qwen3vl_vln.ipc.to_worker import DrawView
from qwen3vl_vln.overlay.course import course
from qwen3vl_vln.overlay.draw import COLOURS, draw
from qwen3vl_vln.overlay.projection import NEAR_METRES, Projection
from qwen3vl_vln.overlay.render import MOST_HEIGHT, MOST_WIDTH, DamagedImageError, decode, encode, render
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Paragraph, Pixels, Writer, find_font
from qwen3vl_vln.waypoint import Waypoint

WIDTH, HEIGHT = 640, 480
LEFT = (Waypoint(0.8, 0.25, 0.4), Waypoint(0.8, 0.25, 0.4))
RIGHT = (Waypoint(0.8, -0.25, -0.4), Waypoint(0.8, -0.25, -0.4))


@cache
def writer() -> Writer:
    return Writer(find_font())


def changed(scene: Scene, width: int = WIDTH, height: int = HEIGHT) -> tuple[Pixels, Pixels]:
    """A grey picture with the scene, and where it differs from the same scene without a plan."""
    with_plan, without = (np.full((height, width, 3), 128, np.uint8) for _ in range(2))
    draw(with_plan, scene, writer())
    draw(without, Scene(**(vars(scene) | {"rest": ()})), writer())
    return with_plan, np.asarray((with_plan != without).any(axis=2))


def columns(mask: Pixels) -> list[int]:
    return sorted(np.nonzero(mask.any(axis=0))[0].tolist())


class TestProjection:
    level = Projection(Camera(height_meters=0.45, pitch_degrees=0.0, horizontal_fov_degrees=90.0), WIDTH, HEIGHT)

    def test_what_is_straight_ahead_is_in_the_middle_below_the_horizon(self) -> None:
        # 90 degrees over 640 columns: 320 pixels of focal length; 0.45 m down at 1.8 m is 80 rows.
        [(column, row)] = self.level.pixels(np.array([[1.8, 0.0]]))
        assert (column, row) == (pytest.approx(319.5), pytest.approx(239.5 + 80))

    def test_left_is_left(self) -> None:
        [(left, _), (right, _)] = self.level.pixels(np.array([[2.0, 1.0], [2.0, -1.0]]))
        assert (left, right) == (pytest.approx(319.5 - 160), pytest.approx(319.5 + 160))

    def test_a_camera_that_looks_down_sees_the_point_on_its_axis_in_the_middle(self) -> None:
        looking_down = Projection(
            Camera(height_meters=1.0, pitch_degrees=30.0, horizontal_fov_degrees=70.0), WIDTH, HEIGHT
        )
        [(column, row)] = looking_down.pixels(np.array([[1.0 / math.tan(math.radians(30)), 0.0]]))
        assert (column, row) == (pytest.approx(319.5), pytest.approx(239.5))

    def test_the_floor_never_comes_above_the_horizon(self) -> None:
        for pitch in (-20.0, 0.0, 20.0):
            camera = Projection(
                Camera(height_meters=0.45, pitch_degrees=pitch, horizontal_fov_degrees=90.0), WIDTH, HEIGHT
            )
            horizon = 239.5 - camera.focal_pixels * math.tan(math.radians(pitch))
            far = camera.pixels(np.array([[10.0, 0.0], [100.0, 3.0], [1e6, 0.0]]))
            assert (far[:, 1] > horizon - 1e-6).all() and far[2, 1] == pytest.approx(horizon, abs=0.01)

    def test_what_is_behind_the_camera_is_cut_off_at_the_near_plane(self) -> None:
        band = np.array([[-1.0, 0.1], [1.0, 0.1], [1.0, -0.1], [-1.0, -0.1]])
        visible = self.level.clipped(band)
        assert sorted(map(tuple, visible.round(6).tolist())) == [
            (NEAR_METRES, -0.1),
            (NEAR_METRES, 0.1),
            (1.0, -0.1),
            (1.0, 0.1),
        ]
        assert len(self.level.clipped(band - (3.0, 0.0))) == 0


class TestCourse:
    def test_it_passes_through_the_ends_of_the_waypoints(self) -> None:
        way = course(LEFT)
        assert way.line[0].tolist() == [0.0, 0.0]
        assert way.line[8].tolist() == pytest.approx([0.8, 0.25])
        cosine, sine = math.cos(0.4), math.sin(0.4)
        assert way.line[-1].tolist() == pytest.approx(
            [0.8 + 0.8 * cosine - 0.25 * sine, 0.25 + 0.8 * sine + 0.25 * cosine]
        )

    def test_it_leaves_in_the_direction_that_the_robot_looks(self) -> None:
        way = course(LEFT)
        first = way.line[1] - way.line[0]
        assert abs(math.atan2(first[1], first[0])) < 0.1

    def test_a_sideward_waypoint_is_a_turn_and_a_straight_way(self) -> None:
        way = course((Waypoint(0.1, 0.5, 0.0),))
        assert way.turns[0].angle == pytest.approx(math.atan2(0.5, 0.1))
        assert way.line[:, 1] == pytest.approx(5.0 * way.line[:, 0])

    def test_a_turn_after_the_way_is_at_its_end(self) -> None:
        [turn] = course((Waypoint(1.0, 0.0, 0.8),)).turns
        assert (turn.x, turn.y, turn.angle) == pytest.approx((1.0, 0.0, 0.8))

    def test_only_turning(self) -> None:
        way = course((Waypoint(0.0, 0.0, -0.7),))
        assert len(way.line) == 0 and way.turns[0].angle == -0.7


class TestDrawing:
    @pytest.mark.parametrize(("rest", "side"), [(LEFT, -1), (RIGHT, 1)], ids=["left", "right"])
    def test_the_tip_of_a_plan_is_on_its_side(self, rest: tuple[Waypoint, ...], side: int) -> None:
        _, mask = changed(Scene(rest=rest, state="moving"))
        upper = mask[: HEIGHT * 3 // 4]
        top_row = int(np.nonzero(upper.any(axis=1))[0][0])
        assert top_row > HEIGHT / 2, "the way is on the floor"
        tip = float(np.mean(np.nonzero(upper[top_row])[0]))
        assert (tip - WIDTH / 2) * side > 40

    @pytest.mark.parametrize("angle", [0.7, -0.7])
    def test_a_turn_in_place_is_drawn_on_its_side(self, angle: float) -> None:
        _, mask = changed(Scene(rest=(Waypoint(0.0, 0.0, angle),), state="moving"))
        drawn = columns(mask[: HEIGHT * 3 // 4])
        assert drawn, "nothing was drawn"
        further_left = WIDTH / 2 - drawn[0] > drawn[-1] - WIDTH / 2
        assert further_left == (angle > 0)

    def test_a_plan_before_the_feet_is_seen_from_above(self) -> None:
        left, right = (changed(Scene(rest=(Waypoint(0.3, y, 0.0),), state="moving"))[1] for y in (0.1, -0.1))
        assert not left[: HEIGHT * 2 // 3].any(), "too near for this camera"
        assert np.mean(columns(left[HEIGHT * 3 // 4 :])) < np.mean(columns(right[HEIGHT * 3 // 4 :]))

    @pytest.mark.parametrize("state", [state for state in COLOURS if state not in ("moving", "goal")])
    def test_every_other_state_frames_the_picture(self, state: str) -> None:
        picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        draw(picture, Scene(state=state), writer())
        assert tuple(picture[HEIGHT // 2, 1]) == COLOURS[state] != COLOURS["moving"]
        moving = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        draw(moving, Scene(state="moving"), writer())
        assert tuple(moving[HEIGHT // 2, 1]) == (128, 128, 128)

    @settings(max_examples=60, deadline=None)
    @given(
        rest=st.lists(
            st.builds(Waypoint, st.floats(-100, 100), st.floats(-100, 100), st.floats(-10, 10)), max_size=8
        ).map(tuple),
        camera=st.builds(
            Camera,
            height_meters=st.floats(0.05, 3.0),
            pitch_degrees=st.floats(-60.0, 89.0),
            horizontal_fov_degrees=st.floats(20.0, 170.0),
        ),
        size=st.tuples(st.integers(1, 700), st.integers(1, 500)),
        progress=st.floats(-1, 2),
    )
    def test_any_plan_on_any_camera_is_drawn_inside_the_picture(
        self, rest: tuple[Waypoint, ...], camera: Camera, size: tuple[int, int], progress: float
    ) -> None:
        # The picture is a window in a larger one: what is drawn outside of it would show there.
        around = np.full((size[1] + 40, size[0] + 40, 3), 7, np.uint8)
        picture = around[20:-20, 20:-20]
        draw(picture, Scene(camera=camera, rest=rest, progress=progress, instruction="go 走", state="moving"), writer())
        edge = np.ones(around.shape[:2], bool)
        edge[20:-20, 20:-20] = False
        assert (around[edge] == 7).all()


class TestWords:
    def test_chinese_characters_are_glyphs_and_no_boxes(self) -> None:
        path = find_font()
        if path is None:
            pytest.skip("this machine has no font with CJK characters (Debian: fonts-wqy-microhei)")
        font = ImageFont.truetype(str(path), 24)
        missing = bytes(font.getmask("\U000e0fff"))
        drawn = {letter: bytes(font.getmask(letter)) for letter in "前往红色的门走廊日本語한국"}
        assert missing not in drawn.values() and len(set(drawn.values())) == len(drawn)
        assert Writer(path).block((Paragraph("前往红色的门"),), 300, 20).any()

    def test_the_same_words_are_drawn_once(self) -> None:
        own = Writer(find_font())
        for _ in range(5):
            own.block((Paragraph("one"), Paragraph("two")), 200, 16)
        assert own.made == 2
        own.block((Paragraph("one"), Paragraph("three")), 200, 16)
        assert own.made == 3, "only what changed is drawn again"

    def test_no_more_lines_than_allowed_and_none_too_wide(self) -> None:
        own = Writer(find_font())
        for words in ("word " * 200, "无" * 300, "x" * 300):
            one = own.block((Paragraph("one line"),), 200, 16)
            block = own.block((Paragraph(words, lines=2),), 200, 16)
            assert block.shape == (2 * one.shape[0], 200, 3)

    def test_without_a_font_they_are_escapes_and_the_log_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            own = Writer(find_font(("/nowhere/font.ttc",)))
        assert [record.levelname for record in caplog.records] == ["WARNING"] and "escapes" in caplog.text
        block = own.block((Paragraph("去 door"),), 300, 16)
        assert (block == own.block((Paragraph("\\u53bb door"),), 300, 16)).all() and block.any()

    def test_a_damaged_font_is_like_none(self, tmp_path: Path) -> None:
        damaged = tmp_path / "font.ttc"
        damaged.write_bytes(b"no font")
        own = Writer(damaged)
        assert own.block((Paragraph("走"),), 300, 16).any() and own.font is None

    @given(st.text(alphabet=st.characters(), max_size=60))
    @settings(max_examples=60, deadline=None)
    def test_any_text_can_be_written(self, words: str) -> None:
        assert writer().block((Paragraph(words),), 120, 12).shape[1] == 120


class TestRendering:
    def test_a_picture_keeps_its_size_and_has_the_overlay(self) -> None:
        rendered = render(jpeg(WIDTH, HEIGHT), Scene(rest=LEFT, state="moving"), writer())
        assert decode(rendered).shape == (HEIGHT, WIDTH, 3)
        assert decode(rendered)[2:20, 300:400].max() < 60, "the band of the state"

    def test_a_large_one_is_made_smaller(self) -> None:
        height, width, _ = decode(encode(np.zeros((2304, 4096, 3), np.uint8))).shape
        assert width <= MOST_WIDTH and height <= MOST_HEIGHT and width / height == pytest.approx(16 / 9, rel=0.01)

    def test_grey_pictures_too(self) -> None:
        done, data = cv2.imencode(".jpg", np.zeros((120, 160), np.uint8))
        assert done and decode(render(data.tobytes(), Scene(), writer())).shape == (120, 160, 3)

    def test_a_damaged_one_is_black_and_has_the_overlay(self) -> None:
        with pytest.raises(DamagedImageError):
            decode(b"\xff\xd8\xff\xd9")
        drawn = decode(render(b"\xff\xd8\xff\xd9", Scene(state="error", reason="corrupt_frame"), writer()))
        assert drawn[240, 320].max() < 10 and np.abs(drawn[240, 2].astype(int) - COLOURS["error"]).max() < 40

    def test_a_scene_survives_the_way_between_the_processes(self) -> None:
        scene = Scene(
            rest=LEFT,
            camera=Camera(height_meters=0.3, pitch_degrees=12.0, horizontal_fov_degrees=70.0),
            instruction="去",
            plan_age_seconds=0.5,
        )
        message = DrawView(task_id="t-1", slot=3, size=4711, scene=scene)
        assert decode_to_worker(encode_message(message)) == message
