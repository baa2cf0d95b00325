"""VisionModels: what is wanted, what should exist for it, and what its status says."""
