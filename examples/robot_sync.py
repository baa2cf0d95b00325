#!/usr/bin/env python3
"""The whole control loop of a robot, without an event loop:

    python examples/robot_sync.py ws://simulator-vln.robots/vln/robot/go2-01 --key-file key --base my_robot:Base

`my_robot.Base` is yours: `drive(linear_mps, angular_rps)`, `odometry() -> (x, y, yaw)`, `picture() -> bytes | None`
(the newest JPEG, None where there is no new one) and `timeout_seconds`, after which the driver stands by itself; the
last is measured with `qwen3vl robot check`. This loop is no safety function."""

import argparse
import importlib
import sys
import time
from pathlib import Path

from qwen3vl_client import Odometry, SyncRobot

HZ = 30.0


def main() -> None:
    """Drive until the task has ended; Ctrl-C ends it too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--base", required=True, metavar="MODULE:CLASS")
    options = parser.parse_args()
    module, _, name = options.base.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    base = getattr(importlib.import_module(module), name)()
    timeout_seconds = getattr(base, "timeout_seconds", None)
    if not timeout_seconds or not 0 < timeout_seconds <= 0.5:
        sys.exit(
            "the base driver needs its own time-out of at most 0.5 s, and timeout_seconds must say it: "
            "without one the robot drives on when this program dies"
        )
    with SyncRobot(options.url, key=options.key_file.read_text().strip()) as robot:
        try:
            while True:
                began = time.monotonic()
                robot.send(base.picture(), odometry=Odometry(*base.odometry()))
                command = robot.command()
                base.drive(command.linear_mps, command.angular_rps)
                if command.state in ("goal", "stopped"):
                    break
                time.sleep(max(0.0, began + 1 / HZ - time.monotonic()))
        except KeyboardInterrupt:
            robot.stop()
        finally:
            base.drive(0.0, 0.0)
    print(f"{command.state}: {command.reason}; {robot.statistics}")


if __name__ == "__main__":
    main()
