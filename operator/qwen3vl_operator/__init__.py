"""The operator: turns VisionModels into Kubernetes objects, and what it sees of them back into status."""
