"""Programs that a test starts: what they need to find the project, and a port for them."""

import os
import socket
import sys

PYTHONPATH = os.pathsep.join(folder for folder in sys.path if folder)
"""This process's own path, so that its programs import what it imports."""
ENVIRONMENT = os.environ | {"PYTHONPATH": PYTHONPATH}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
