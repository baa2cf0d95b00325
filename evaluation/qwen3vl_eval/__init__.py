"""Many walks through seeded buildings, and figures of them: the VLN API's own code, the simulator's policy, the
client's rules and the world's robot, by default on a virtual clock, so that a seed repeats bit for bit.

It is a package beside the world because it knows both sides; the world knows only the client."""
