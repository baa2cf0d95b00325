"""Names of robots: what the NavTask's schema and the VLN API both take."""

ROBOT_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LONGEST_ROBOT = 63
