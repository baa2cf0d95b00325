"""The robot's side of the VLN API: camera frames out, velocities in, and zero when in doubt."""

from qwen3vl_client.freshness import STAND, Command
from qwen3vl_client.protocol import Odometry
from qwen3vl_client.robot import ClosedError, Robot, boot_time
from qwen3vl_client.statistics import Statistics
from qwen3vl_client.sync import SyncRobot

__all__ = ["STAND", "ClosedError", "Command", "Odometry", "Robot", "Statistics", "SyncRobot", "boot_time"]
