"""Whether a robot and its network are fit to be driven by the VLN API: signs, scale, delays, and how soon it stands.

Imported by the command line alone; a robot's own program needs none of it."""
