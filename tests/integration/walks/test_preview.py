"""The pictures by which people look at a building before anything walks in it."""

from pathlib import Path

import pytest
from tests.support.images import read

from qwen3vl_world import buildings, preview
from qwen3vl_world.robot import RADIUS


def test_it_writes_a_map_and_views_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview.main(["--seed", "3", "--out", str(tmp_path / "new")])
    files = [Path(line) for line in capsys.readouterr().out.split()]
    assert [file.name for file in files] == ["map.png", "views.png"]
    pictures = [read(file) for file in files]
    assert all(picture.std() > 10 for picture in pictures)
    assert pictures[1].shape[1] == preview.COLUMNS * 320


@pytest.mark.parametrize("seed", range(8))
def test_it_looks_only_from_where_a_robot_has_room(seed: int) -> None:
    building = buildings.building(seed)
    poses = preview.views(building)
    assert len(poses) >= 6
    assert all(building.clearance(pose.x, pose.y) > RADIUS for pose in poses)


def test_a_hall_without_doors_has_views_too() -> None:
    assert len(preview.views(buildings.empty_hall())) == 4
