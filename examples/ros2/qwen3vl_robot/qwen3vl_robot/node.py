"""Pictures and odometry in, velocities out to an input of twist_mux; never straight to the base."""

import signal
import sys
from pathlib import Path
from types import FrameType

import rclpy
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry as OdometryMessage
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool

from qwen3vl_client import Odometry, SyncRobot, boot_time
from qwen3vl_robot.values import JPEG, Origin, Place, Track, captured_seconds, wrong_base_timeout, yaw_of

COMMAND_HZ = 30.0
ODOMETRY_SECONDS = 0.3
SPIN_SECONDS = 0.1
LAST_ZERO_SECONDS = 0.5
"""How long the end waits until those who listen to the velocities have the last one."""
# Best effort hears reliable publishers too; the other way round nothing would come, and nobody would say so.
NEWEST = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
COMMANDS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE)


class RobotNode(Node):
    """One robot and its task."""

    def __init__(self) -> None:
        super().__init__("qwen3vl_robot")
        declare = self.declare_parameter
        refusal = wrong_base_timeout(declare("base_timeout_seconds", 0.0).value)
        if refusal is not None:
            raise ValueError(refusal)
        if self.get_parameter("use_sim_time").value:
            raise ValueError("use_sim_time: the freshness of answers is measured in real time")
        key_file = declare("key_file", "").value
        self._image_seconds = 1.0 / declare("image_hz", 8.0).value
        key = Path(key_file).read_text().strip() if key_file else None
        self._robot = SyncRobot(declare("url", "").value, key=key, writer=self.get_fully_qualified_name()).start()
        self._origin, self._track = Origin(), Track()
        self._image_at = float("-inf")
        self._emergency_stop = False
        self._said = ""
        self._commands = self.create_publisher(Twist, "qwen3vl/cmd_vel", COMMANDS)
        self.create_subscription(CompressedImage, "image/compressed", self._image, NEWEST)
        self.create_subscription(OdometryMessage, "odom", self._moved, NEWEST)
        self.create_subscription(Bool, "emergency_stop", self._pressed, NEWEST)
        self.create_timer(1.0 / COMMAND_HZ, self._turn)

    def close(self) -> None:
        """Stand first, then end the connection."""
        try:
            self._commands.publish(Twist())
            self._commands.wait_for_all_acked(Duration(seconds=LAST_ZERO_SECONDS))
        finally:
            self._robot.close()

    def _image(self, message: CompressedImage) -> None:
        now, data = boot_time(), bytes(message.data)
        if now - self._image_at < self._image_seconds:
            return
        if not data.startswith(JPEG):
            self._say(f"{message.format}: the camera must publish JPEG")
            return
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        captured = captured_seconds(now, self.get_clock().now().nanoseconds * 1e-9, stamp)
        self._image_at = now
        # Where the robot was when the picture was taken, not where it is now.
        odometry = self._fresh_odometry() and (_message(self._track.at(captured)) or self._fresh_odometry())
        self._robot.send(data, captured_seconds=captured, odometry=odometry, emergency_stop=self._emergency_stop)

    def _moved(self, message: OdometryMessage) -> None:
        at, to, twist = message.pose.pose.position, message.pose.pose.orientation, message.twist.twist
        yaw = yaw_of(to.x, to.y, to.z, to.w)
        epoch = self._origin.seen(at.x, at.y, yaw)
        self._track.add(boot_time(), Place(at.x, at.y, yaw, twist.linear.x, twist.angular.z, epoch))

    def _pressed(self, message: Bool) -> None:
        self._emergency_stop = message.data

    def _fresh_odometry(self) -> Odometry | None:
        now = boot_time()
        return _message(self._track.at(now)) if now - self._track.newest_at <= ODOMETRY_SECONDS else None

    def _turn(self) -> None:
        odometry = self._fresh_odometry()
        self._robot.tick(odometry=odometry, emergency_stop=self._emergency_stop)
        command, twist = self._robot.command(), Twist()
        # Without odometry the server counts what it told as driven, also where mux or monitor held the robot.
        if odometry is not None:
            twist.linear.x, twist.angular.z = command.linear_mps, command.angular_rps
        self._commands.publish(twist)
        told = f"{command.state}: {command.reason} {command.message}".rstrip()
        self._say("no odometry" if odometry is None else self._robot.refusal or told)

    def _say(self, text: str) -> None:
        if text != self._said:
            self.get_logger().info(text)
            self._said = text


def _message(place: Place | None) -> Odometry | None:
    if place is None:
        return None
    return Odometry(place.x, place.y, place.yaw, place.v, place.w, place.epoch)


class _End:
    """Whether the program was told to end. ROS's own handlers would take the publishers away before the last zero."""

    told = False

    def __init__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._tell)

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self.told = True


def main() -> None:
    """Entry point."""
    end = _End()
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = RobotNode()
    except (ValueError, OSError) as error:
        rclpy.shutdown()
        sys.exit(f"qwen3vl_robot does not start: {error}")
    try:
        while not end.told:
            rclpy.spin_once(node, timeout_sec=SPIN_SECONDS)
    finally:
        node.close()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
