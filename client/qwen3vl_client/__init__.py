"""The robot's side of the VLN API: camera frames out, velocities in, and zero when in doubt."""

from qwen3vl_client.freshness import STAND, Command
from qwen3vl_client.protocol import Odometry
from qwen3vl_client.robot import Robot, boot_time

__all__ = ["STAND", "Command", "Odometry", "Robot", "boot_time"]
