"""A robot in ROS 2, in the environment that has it: a camera, a base with wheels and odometry, and an emergency stop.

Each command that reaches the base is one line of JSON on standard output. A line on standard input names a trouble that
begins then: `no_odometry`, `jumping_odometry`, `no_image`, `old_stamps`, `future_stamps`, `not_jpeg`, `emergency_stop`,
or `none`."""

import argparse
import json
import math
import sys
import threading
import time
from pathlib import Path

import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool

ODOMETRY_HZ, IMAGE_HZ, STOP_HZ = 30.0, 10.0, 10.0
OLD_SECONDS = 3
JUMP_METRES = 2.0


class Body(Node):
    """The robot."""

    def __init__(self, pictures: list[bytes]) -> None:
        super().__init__("body")
        self.trouble = "none"
        self._pictures, self._shown = pictures, 0
        self._x = self._y = self._yaw = self._v = self._w = 0.0
        self._moved_at = time.monotonic()
        newest = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._camera = self.create_publisher(CompressedImage, "image/compressed", newest)
        self._wheels = self.create_publisher(Odometry, "odom", newest)
        self._button = self.create_publisher(Bool, "emergency_stop", 10)
        self.create_subscription(Twist, "qwen3vl/cmd_vel", self._command, 10)
        self.create_timer(1 / ODOMETRY_HZ, self._move)
        self.create_timer(1 / IMAGE_HZ, self._look)
        self.create_timer(1 / STOP_HZ, lambda: self._button.publish(Bool(data=self.trouble == "emergency_stop")))

    def _command(self, message: Twist) -> None:
        self._v, self._w = message.linear.x, message.angular.z
        print(json.dumps({"at": time.monotonic(), "v": self._v, "w": self._w}), flush=True)

    def _move(self) -> None:
        now = time.monotonic()
        seconds, self._moved_at = now - self._moved_at, now
        self._x += self._v * seconds * math.cos(self._yaw)
        self._y += self._v * seconds * math.sin(self._yaw)
        self._yaw += self._w * seconds
        if self.trouble == "no_odometry":
            return
        message = Odometry()
        at, to, twist = message.pose.pose.position, message.pose.pose.orientation, message.twist.twist
        at.x, at.y = self._x, self._y + JUMP_METRES * (self.trouble == "jumping_odometry")
        to.z, to.w = math.sin(self._yaw / 2), math.cos(self._yaw / 2)
        twist.linear.x, twist.angular.z = self._v, self._w
        self._wheels.publish(message)

    def _look(self) -> None:
        if self.trouble == "no_image":
            return
        message = CompressedImage(format="jpeg", data=self._pictures[self._shown % len(self._pictures)])
        self._shown += 1
        message.header.stamp = self.get_clock().now().to_msg()
        if self.trouble == "old_stamps":
            message.header.stamp.sec -= OLD_SECONDS
        elif self.trouble == "future_stamps":
            message.header.stamp.sec += OLD_SECONDS
        elif self.trouble == "not_jpeg":
            message.format, message.data = "png", b"\x89PNG" + bytes(message.data)
        self._camera.publish(message)

    def listen(self) -> None:
        """Take troubles from standard input until it ends."""
        for line in sys.stdin:
            self.trouble = line.strip()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of .jpg")
    options = parser.parse_args()
    rclpy.init()
    body = Body([path.read_bytes() for path in sorted(options.pictures.glob("*.jpg"))])
    threading.Thread(target=body.listen, daemon=True).start()
    rclpy.spin(body)


if __name__ == "__main__":
    main()
