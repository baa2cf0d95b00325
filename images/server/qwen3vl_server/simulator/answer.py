"""What the simulator says: scenes and the question in, text out. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .vision import Scene

_MOST_NAMED = 12


def reply(scenes: Sequence[Scene], question: str) -> str:
    """The free-text answer. Without a picture it says so and repeats the question: it cannot know more."""
    if not scenes:
        return f"I see no picture. I am a simulated model and can only repeat: {question[:200]}"
    if len(scenes) == 1:
        return describe(scenes[0])
    return " ".join(f"Picture {number}: {describe(scene)}" for number, scene in enumerate(scenes, start=1))


def describe(scene: Scene) -> str:
    """One sentence, for example: I see 3 shapes: 2 red circles and 1 blue square on a white background."""
    if not scene.shapes:
        return f"I see no shapes, only {_article(scene.background)} {scene.background} background."
    groups = Counter((shape.colour, shape.kind) for shape in scene.shapes).most_common()
    parts = [f"{count} {colour} {_plural(kind, count)}" for (colour, kind), count in groups[:_MOST_NAMED]]
    if len(groups) > _MOST_NAMED:
        parts.append("more")
    total = len(scene.shapes)
    return (
        f"I see {total} {_plural('shape', total)}: {_enumerate(parts)} "
        f"on {_article(scene.background)} {scene.background} background."
    )


def as_object(scenes: Sequence[Scene], question: str) -> dict[str, Any]:
    """The answer for `json_object`, where the client leaves the form to the model."""
    scene = scenes[-1] if scenes else None
    return {
        "description": reply(scenes, question),
        "count": len(scene.shapes) if scene else 0,
        "colors": list(scene.colours()) if scene else [],
        "shapes": [{"color": shape.colour, "shape": shape.kind} for shape in scene.shapes] if scene else [],
    }


def _enumerate(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
