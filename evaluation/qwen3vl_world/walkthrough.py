"""Pictures of a straight walk through the demo's building, for benchmarks that need frames and no robot."""

from qwen3vl_world.buildings import demo
from qwen3vl_world.camera import Camera
from qwen3vl_world.plan import Pose

SPEED_MPS, HZ = 0.5, 10.0


def pictures(count: int) -> list[bytes]:
    """That many JPEGs, a tenth of a second of walking apart, turning slowly."""
    building = demo()
    camera, start = Camera(building, 0), building.start
    step = SPEED_MPS / HZ
    return [camera.jpeg(Pose(start.x + step * n, start.y, start.yaw + 0.01 * n)) for n in range(count)]
