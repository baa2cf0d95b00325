"""Times as Kubernetes writes them."""

import datetime


def seconds(timestamp: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 of an empty one."""
    return datetime.datetime.fromisoformat(timestamp).timestamp() if timestamp else 0.0
