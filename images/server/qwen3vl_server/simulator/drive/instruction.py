"""Which colour an instruction names. Pure."""

import re

_WORDS = {
    "red": ("red", "红"),
    "blue": ("blue", "蓝"),
    "green": ("green", "绿"),
    "yellow": ("yellow", "黄"),
    "orange": ("orange", "橙"),
    "purple": ("purple", "violet", "紫"),
}
_PATTERN = re.compile("|".join(rf"\b{w}\b" if w.isascii() else w for words in _WORDS.values() for w in words))
_COLOURS = {word: colour for colour, words in _WORDS.items() for word in words}


def wanted_colour(text: str) -> str | None:
    """The first colour in the line `Instruction: ...`, or in the whole text where there is no such line."""
    line = re.search(r"^instruction:(.*)$", text.lower(), re.MULTILINE)
    found = _PATTERN.search(line[1] if line else text.lower())
    return _COLOURS[found.group()] if found else None
