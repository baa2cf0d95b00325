"""Tokens that mark turns and pictures in a prompt. In a text, engines would take them for the real ones."""

SPECIAL_TOKENS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<IMAGE_TOKEN>",
)
"""Of Qwen3-VL's chat template, and the one by which LMDeploy finds the places of pictures."""


def special_token(text: str) -> str | None:
    """The first of them in a text, in the order above."""
    return next((token for token in SPECIAL_TOKENS if token in text), None)
