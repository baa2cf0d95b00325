from setuptools import setup

setup(
    name="qwen3vl_robot",
    version="0.1.0",
    packages=["qwen3vl_robot"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/qwen3vl_robot"]),
        ("share/qwen3vl_robot", ["package.xml"]),
        ("share/qwen3vl_robot/config", ["config/twist_mux.yaml", "config/collision_monitor.yaml"]),
        ("share/qwen3vl_robot/launch", ["launch/robot.launch.py"]),
    ],
    entry_points={"console_scripts": ["robot = qwen3vl_robot.node:main"]},
)
