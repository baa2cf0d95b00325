"""The parts that walks are made of: network, virtual time, pictures that are drawn late, figures of many episodes."""

import asyncio
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support import virtual_time
from tests.support.images import read

from qwen3vl_eval.__main__ import PAGE
from qwen3vl_eval.drawing import write_sheet
from qwen3vl_eval.episode import Episode, Setting, conditions, make
from qwen3vl_eval.film import number_of, undeveloped
from qwen3vl_eval.network import Way
from qwen3vl_eval.replay import INSTRUCTION, instruction
from qwen3vl_eval.summary import interval, paired, summary
from qwen3vl_eval.tables import BEGIN, END, SETTINGS, SLOW, USUAL, WORLDS, ZERO, short_table, tables
from qwen3vl_vln.edge.images import problem, size
from qwen3vl_world import buildings
from qwen3vl_world.lens import Lens
from qwen3vl_world.plan import Pose

SECONDS = {"moving": 20.0, "hold": 2.0, "goal": 1.5}
START = buildings.building(1).start
EPISODE = Episode(
    1,
    "GoalReached",
    True,
    True,
    False,
    0.8,
    0.2,
    4.0,
    5.0,
    22.0,
    0,
    0.4,
    1,
    1,
    SECONDS,
    ((0.0, START), (9.0, Pose(4, 4))),
)


class TestNetwork:
    def test_messages_arrive_late_in_order_and_some_never(self) -> None:
        way = Way(0.05, 0.01, 0.2, random.Random(1))
        arrivals = [way.arrival(number / 30) for number in range(3000)]
        came = [(number / 30, at) for number, at in enumerate(arrivals) if at is not None]
        assert 0.17 < 1 - len(came) / 3000 < 0.23
        assert all(at >= sent + 0.05 for sent, at in came)
        assert [at for _, at in came] == sorted(at for _, at in came)
        assert sum(at - sent for sent, at in came) / len(came) == pytest.approx(0.06, abs=0.003)

    def test_without_jitter_and_loss_it_is_exact(self) -> None:
        way = Way(0.05, 0.0, 0.0, random.Random(1))
        assert [way.arrival(1.0), way.arrival(2.0)] == [1.05, 2.05]


class TestVirtualTime:
    def test_waiting_takes_no_time_and_all_the_virtual_time(self) -> None:
        async def wait() -> float:
            await asyncio.sleep(3600)
            return asyncio.get_running_loop().time()

        assert virtual_time.run(wait()) == pytest.approx(3600)

    def test_what_runs_in_a_thread_elsewhere_runs_at_once(self) -> None:
        async def ask() -> tuple[int, float]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, max, 3, 4), loop.time()

        assert virtual_time.run(ask()) == (4, 0.0)

    def test_waiting_for_nothing_is_an_error_and_not_for_ever(self) -> None:
        async def wait() -> None:
            await asyncio.get_running_loop().create_future()

        with pytest.raises(RuntimeError, match="nothing is due"):
            virtual_time.run(wait())


@pytest.mark.parametrize("number", [0, 7, 2**40])
def test_an_undeveloped_picture_passes_what_is_checked_before_the_answer(number: int) -> None:
    data = undeveloped(number)
    assert problem(data, max_bytes=1000, max_pixels=640 * 480) is None
    assert size(data) == (640, 480) and number_of(data) == number


class TestFigures:
    def test_they_are_sums_and_means(self) -> None:
        lost = replace(EPISODE, seed=2, success=False, oracle=True, false_goal=True, spl=0.0, collisions=2)
        lost = replace(lost, driven_metres=15.0, blind_metres=0.7, pauses=3, seconds=30.0)
        figures = summary([EPISODE, lost])
        wanted = {"success_rate": 0.5, "oracle_success_rate": 1.0, "false_goals": 1, "spl": 0.4, "collisions": 2}
        wanted |= {"collisions_per_metre": 0.1, "max_blind_metres": 0.7, "mean_seconds": 26.0, "pauses": 4}
        assert {name: figures[name] for name in wanted} == wanted
        assert figures["failed_seeds"] == figures["collided_seeds"] == [2]
        assert figures["seconds_in_state"] == {"goal": 3.0, "hold": 4.0, "moving": 40.0}

    def test_the_interval_holds_the_rate_and_is_the_same_each_time(self) -> None:
        walks = [(1, 5.0)] * 10 + [(0, 5.0)] * 90
        low, high = interval(walks)
        assert (low, high) == interval(walks)
        assert 0.005 < low < 0.02 < high < 0.04
        assert interval([(0, 5.0)] * 10) == (0.0, 0.0) == interval([])

    def test_pairs_leave_out_what_collided_at_once_anyway(self) -> None:
        base = [replace(EPISODE, seed=seed, collisions=int(seed == 3)) for seed in range(4)]
        other = [replace(EPISODE, seed=seed, collisions=int(seed >= 2)) for seed in range(4)]
        assert paired(base, other) == pytest.approx(1 / 3)

    def test_the_tables_are_written_into_the_page_that_is_there(self) -> None:
        text = PAGE.read_text(encoding="utf-8")
        assert BEGIN in text and END in text

    def test_the_tables_have_a_row_for_each_condition(self) -> None:
        text = tables({ZERO: [EPISODE], USUAL: [replace(EPISODE, collisions=1)]}, 1, 1)
        rows = [line for line in text.splitlines() if line.startswith(f"| {USUAL}")]
        assert len(rows) == 2 and "100.0%" in rows[0] and re.search(r"\| 1 \| 0\.2000 .*\| 100\.0% \|", rows[1])

    def test_the_sheet_is_a_picture_that_a_page_can_carry(self, tmp_path: Path) -> None:
        file = tmp_path / "sheet.png"
        write_sheet(file, dict.fromkeys(SETTINGS, [EPISODE] * 6), USUAL)
        assert read(file).shape[1] > 1000 and file.stat().st_size < 300 * 1024


class TestConditions:
    def test_a_walk_has_the_camera_and_the_walker_that_were_asked_for(self) -> None:
        plan = make(1, Setting(lens=Lens(0.6, 5.0, 75.0), yields=False))
        assert plan.world.lens == Lens(0.6, 5.0, 75.0) and not plan.world.yields
        camera = plan.settings.camera
        assert (camera.height_meters, camera.pitch_degrees, camera.horizontal_fov_degrees) == (0.6, 5.0, 75.0)

    def test_varied_ones_follow_from_the_seed(self) -> None:
        drawn = [conditions(seed, Setting(vary=True)) for seed in range(30)]
        assert drawn == [conditions(seed, Setting(vary=True)) for seed in range(30)]
        assert len({lens for lens, _ in drawn}) == 30 and {yields for _, yields in drawn} == {True, False}

    def test_each_table_of_slow_models_and_other_worlds_has_its_rows(self) -> None:
        text = short_table(
            {name: [EPISODE, replace(EPISODE, success=False, collisions=2)] for name in WORLDS}, "Worlds"
        )
        rows = [line for line in text.splitlines() if line.startswith("| ") and "condition" not in line]
        assert [row.split(" | ")[0][2:] for row in rows] == list(WORLDS)
        assert all("| 1 of 2 | 0 | 1 |" in row for row in rows)
        assert all(setting.most_seconds == 600.0 for setting in SLOW.values())


class TestInstructionOfPictures:
    def test_it_is_the_folders_own(self, tmp_path: Path) -> None:
        (tmp_path / "instruction.txt").write_text("Go to the\n desk. \n", encoding="utf-8")
        assert instruction(tmp_path) == "Go to the desk."

    def test_without_one_it_is_a_usual_sentence(self, tmp_path: Path) -> None:
        assert instruction(tmp_path) == INSTRUCTION

    @pytest.mark.parametrize("text", ["", " \n", "x" * 2001])
    def test_none_or_too_much_is_told(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "instruction.txt").write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="an instruction has 1 to 2000"):
            instruction(tmp_path)
