"""Look at a building before anything walks in it: `python -m qwen3vl_world.preview --seed 3 --out DIR` writes a map and
what the camera sees from the start and on the straight way to the door."""

import argparse
import math
from pathlib import Path

import cv2
import numpy as np

from qwen3vl_world import buildings, picture
from qwen3vl_world.camera import Camera, Pixels
from qwen3vl_world.plan import Building, Pose
from qwen3vl_world.robot import RADIUS

COLUMNS = 3


def views(building: Building) -> list[Pose]:
    """From the start once around, then nearer and nearer to the target, where a robot has room to stand."""
    start = building.start
    poses = [Pose(start.x, start.y, start.yaw + turn * math.pi / 2) for turn in range(4)]
    for goal in [door.goal for door in building.doors if door.colour == building.target]:
        dx, dy = goal.x - start.x, goal.y - start.y
        way = [Pose(start.x + share * dx, start.y + share * dy, math.atan2(dy, dx)) for share in (0.0, 0.25, 0.5, 0.75)]
        poses += [pose for pose in way if building.clearance(pose.x, pose.y) > RADIUS] + [goal]
    return poses


def sheet(pictures: list[Pixels]) -> Pixels:
    """Pictures side by side at half their size, `COLUMNS` in a row."""
    small = [cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for one in pictures]
    small += [np.full_like(small[0], 255)] * (-len(small) % COLUMNS)
    rows = [cv2.hconcat(small[first : first + COLUMNS]) for first in range(0, len(small), COLUMNS)]
    return np.asarray(cv2.vconcat(rows), np.uint8)


def write(building: Building, seed: int, folder: Path) -> list[Path]:
    """Write map.png and views.png; where they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    map_file, views_file = folder / "map.png", folder / "views.png"
    picture.write_map(map_file, building, [(0.0, building.start)])
    camera = Camera(building, seed)
    cv2.imwrite(str(views_file), sheet([camera.pixels(pose) for pose in views(building)]))
    return [map_file, views_file]


def main(arguments: list[str] | None = None) -> None:
    """Entry point; prints the files."""
    parser = argparse.ArgumentParser(prog="qwen3vl_world.preview", description=__doc__)
    parser.add_argument("--seed", type=int, help="a building made from this number; default: the demo's")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for map.png and views.png")
    options = parser.parse_args(arguments)
    building = buildings.demo() if options.seed is None else buildings.building(options.seed)
    for file in write(building, options.seed or 0, options.out):
        print(file)


if __name__ == "__main__":
    main()
