"""The gateway: one OpenAI-compatible URL for every model."""
