"""The node, twist_mux behind it, collision_monitor behind that, and only then the base (`cmd_vel`)."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    config = Path(get_package_share_directory("qwen3vl_robot")) / "config"
    timeout = ParameterValue(LaunchConfiguration("base_timeout_seconds"), value_type=float)
    return LaunchDescription(
        [
            DeclareLaunchArgument("url", description="ws://SERVICE/vln/robot/ROBOT"),
            DeclareLaunchArgument("key_file", description="file with the robot's key"),
            DeclareLaunchArgument("base_timeout_seconds", description="the base driver's own time-out, as measured"),
            DeclareLaunchArgument("image", default_value="camera/image_raw/compressed", description="JPEG topic"),
            Node(
                package="qwen3vl_robot",
                executable="robot",
                name="qwen3vl_robot",
                output="screen",
                parameters=[
                    {
                        "url": LaunchConfiguration("url"),
                        "key_file": LaunchConfiguration("key_file"),
                        "base_timeout_seconds": timeout,
                    }
                ],
                remappings=[("image/compressed", LaunchConfiguration("image"))],
            ),
            Node(
                package="twist_mux",
                executable="twist_mux",
                name="twist_mux",
                output="screen",
                parameters=[str(config / "twist_mux.yaml")],
                remappings=[("cmd_vel_out", "cmd_vel_mux")],
            ),
            Node(
                package="nav2_collision_monitor",
                executable="collision_monitor",
                name="collision_monitor",
                output="screen",
                parameters=[str(config / "collision_monitor.yaml")],
            ),
            Node(
                package="nav2_lifecycle_manager",
                executable="lifecycle_manager",
                name="lifecycle_manager_collision_monitor",
                output="screen",
                parameters=[{"autostart": True, "node_names": ["collision_monitor"]}],
            ),
        ]
    )
