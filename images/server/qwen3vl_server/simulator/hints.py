"""Which value a property's name asks for, given the scene: `red_count`, `has_circle`, `background_color`. Pure.

Names of a navigation answer ask for standing still: only the drive policy may move a robot."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .answer import describe
from .vision import COLOURS, SHAPES, Scene, Shape

STILL_ACTIONS = ("hold", "wait", "none", "stay", "idle", "stand", "pause", "look", "stop")
"""Actions that move nothing, the best first: stop ends a task, so it comes last."""
MOTION = ("dx", "dy", "dtheta")
_ACTIONS = {"action", "command", "move", "movement", "direction"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_SPELLINGS = {"gray": "grey", "color": "colour", "object": "figure", "item": "figure"}
_COUNTS = {"count", "number", "many", "total", "num", "amount"}
_TEXTS = {"description", "answer", "text", "summary", "caption", "explanation", "content", "reason", "message"}


@dataclass(frozen=True)
class Sight:
    """What values are derived from: the newest picture's scene, or nothing without a picture."""

    scene: Scene | None
    text: str

    def only(self, shape: Shape) -> "Sight":
        """The sight of one figure, for an item of an array of objects."""
        scene = Scene(self.scene.background if self.scene else "unknown", (shape,))
        return Sight(scene, describe(scene))


def words(name: str) -> set[str]:
    """The words of a property's name, in lower case, singular, British: `numberOfRedCircles` has red and circle."""
    found = (word.lower() for word in _WORD.findall(name))
    singular = (word[:-1] if word.endswith("s") and not word.endswith("ss") else word for word in found)
    return {_SPELLINGS.get(word, word) for word in singular}


def is_action(name: str) -> bool:
    """Whether a property tells a robot what to do."""
    return bool(words(name) & _ACTIONS)


def matching(sight: Sight, asked: set[str]) -> list[Shape]:
    """The figures that a name speaks of: of its colour and kind, where it names them."""
    colours, kinds = asked & set(COLOURS), asked & (set(SHAPES) - {"shape"})
    shapes = sight.scene.shapes if sight.scene else ()
    return [s for s in shapes if (not colours or s.colour in colours) and (not kinds or s.kind in kinds)]


def scalars(name: str, sight: Sight) -> Sequence[Any]:
    """Values that would be right for this property, the best first; the schema takes the first one it allows."""
    asked = words(name)
    if name in MOTION:
        return (0,)
    if is_action(name):
        return STILL_ACTIONS
    found = matching(sight, asked)
    names_figures = bool(asked & (set(COLOURS) | set(SHAPES) | {"figure"}))
    if sight.scene and "background" in asked:
        return (sight.scene.background,)
    if asked & _COUNTS or (names_figures and asked <= set(COLOURS) | set(SHAPES)):
        named = [value for shape in found for value in (shape.kind, shape.colour) if asked & {"shape"}]
        return (len(found), *named, bool(found))
    if "colour" in asked:
        return [*dict.fromkeys(shape.colour for shape in found), *((sight.scene.background,) if sight.scene else ())]
    if asked & {"shape", "kind", "type", "figure"}:
        return list(dict.fromkeys(shape.kind for shape in found))
    if names_figures:
        return (bool(found),)
    if asked & _TEXTS:
        return (sight.text,)
    return ()


def lists(name: str, sight: Sight) -> Sequence[Any] | None:
    """Values for an array of scalars with this name, or None where the name says nothing."""
    asked = words(name)
    found = matching(sight, asked)
    if "colour" in asked:
        return list(dict.fromkeys(shape.colour for shape in found))
    if asked & {"shape", "kind", "type", "figure"}:
        return [shape.kind for shape in found]
    if asked & _TEXTS:
        return [sight.text]
    return None


def figures(name: str, sight: Sight) -> list[Shape]:
    """The figures that an array of objects with this name lists; none for waypoints and other names."""
    asked = words(name)
    speaks = asked & (set(COLOURS) | set(SHAPES) | {"figure", "detection"})
    return matching(sight, asked) if speaks else []
