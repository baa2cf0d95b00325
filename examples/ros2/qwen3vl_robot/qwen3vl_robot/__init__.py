"""A ROS 2 robot that walks by the VLN API."""
