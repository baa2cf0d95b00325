"""People's words as pixels, in any script: drawn once into a small block and kept until they change.

OpenCV draws ASCII alone. A whole picture never goes through Pillow, which would cost ten times the rest."""

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

log = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]
CJK_FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf",
)
LONGEST_PARAGRAPH = 400
"""Characters; what is longer does not fit in any case."""
_KEPT = 64
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Paragraph:
    """Some words in one colour (blue, green, red), on at most so many lines."""

    words: str
    colour: tuple[int, int, int] = (255, 255, 255)
    lines: int = 2


def find_font(paths: tuple[str, ...] = CJK_FONTS) -> Path | None:
    """A font with Chinese, Japanese and Korean characters; None, and a line in the log, when there is none."""
    for path in map(Path, paths):
        if path.is_file():
            return path
    log.warning("no font for CJK text was found (%s and others): such text is shown as escapes", paths[0])
    return None


@dataclass
class Writer:
    """Makes blocks of text and keeps the newest of them.

    Attributes:
        font: its file; without one Pillow's own is taken, and what is not ASCII is written as escapes.
    """

    font: Path | None = None
    made: int = 0
    _blocks: "OrderedDict[object, Pixels]" = field(default_factory=OrderedDict)
    _fonts: dict[int, _Font] = field(default_factory=dict)

    def block(self, paragraphs: tuple[Paragraph, ...], width: int, size: int) -> Pixels:
        """The words on black, `width` pixels wide (height x width x 3, blue-green-red), `size` pixels a letter."""
        key = paragraphs, width, size
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = self._draw(paragraphs, width, size)
            self.made += 1
            if len(self._blocks) > _KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return block

    def _draw(self, paragraphs: tuple[Paragraph, ...], width: int, size: int) -> Pixels:
        font = self._load(size)
        lines = [(line, each.colour) for each in paragraphs for line in self._wrapped(each, font, width)]
        pitch = size + max(2, size // 3)
        image = Image.new("RGB", (width, max(1, pitch * len(lines))))
        draw = ImageDraw.Draw(image)
        for number, (line, colour) in enumerate(lines):
            # The picture is blue-green-red; so is what is drawn here, whatever Pillow calls it.
            draw.text((0, number * pitch), line, fill=colour, font=font)
        return np.array(image, np.uint8)

    def _load(self, size: int) -> _Font:
        font = self._fonts.get(size)
        if font is None:
            try:
                font = ImageFont.load_default(size) if self.font is None else ImageFont.truetype(str(self.font), size)
            except OSError:
                log.warning("font %s cannot be read: CJK text is shown as escapes", self.font)
                self.font = None
                font = ImageFont.load_default(size)
            self._fonts[size] = font
        return font

    def _wrapped(self, paragraph: Paragraph, font: _Font, width: int) -> list[str]:
        words = " ".join(paragraph.words[:LONGEST_PARAGRAPH].split())
        words = "".join(letter if letter.isprintable() else "?" for letter in words)
        if self.font is None:
            words = words.encode("ascii", "backslashreplace").decode()
        lines: list[str] = []
        while words and len(lines) < paragraph.lines:
            fits = _fitting(words, font, width)
            if fits < len(words) and len(lines) + 1 == paragraph.lines:
                return [*lines, _shortened(words[:fits], font, width)]
            at = _break(words, fits)
            lines.append(words[:at].rstrip())
            words = words[at:].lstrip()
        return lines


def _fitting(words: str, font: _Font, width: int) -> int:
    """How many characters, at least one, fit into `width` pixels."""
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(words[:middle]) <= width else (low, middle - 1)
    return low


def _break(words: str, fits: int) -> int:
    """Where to end a line: after the last word that fits. Scripts without spaces may be broken anywhere."""
    if fits >= len(words) or words[fits] == " ":
        return fits
    space = words.rfind(" ", 0, fits)
    split_word = words[fits - 1].isascii() and words[fits].isascii()
    return space + 1 if split_word and space > 0 else fits


def _shortened(words: str, font: _Font, width: int) -> str:
    while words and font.getlength(words + "...") > width:
        words = words[:-1]
    return words + "..."
