"""The VLN API: camera frames in, velocities out within a millisecond, and never a motion on a guess."""
