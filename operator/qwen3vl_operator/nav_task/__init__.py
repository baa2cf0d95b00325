"""NavTasks: what the VLN API says of them, and what it is told. The VLN API decides; nothing here moves a robot."""
