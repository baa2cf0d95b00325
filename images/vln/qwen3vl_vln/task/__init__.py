"""A task of one robot: what is decided about motion, goal, stop and end. Pure: frames and results in, answers out.

Time is an argument everywhere, in seconds on a monotonic clock, so the same code runs on a virtual clock."""
