"""The operator: turns VisionModels into Kubernetes objects, and what it sees of them back into status."""

__version__ = "0.1.0"
"""The version of pyproject.toml, which the image does not contain; a test compares the two."""
