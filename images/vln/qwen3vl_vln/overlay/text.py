"""People's words as pixels, in any script: drawn once into a small block and kept until they change.

OpenCV draws ASCII alone. A whole image never goes through Pillow, which would cost ten times the rest."""

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
_KEPT = 128
_LETTERS = 4096
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
class _Type:
    """A font of one size. What a letter takes is asked once: it costs as much as drawing it."""

    font: _Font
    _widths: dict[str, float] = field(default_factory=dict)

    def fitting(self, words: str, width: float) -> int:
        """How many characters fit into `width` pixels."""
        for number, letter in enumerate(words):
            width -= self._width(letter)
            if width < 0:
                return number
        return len(words)

    def _width(self, letter: str) -> float:
        width = self._widths.get(letter)
        if width is None:
            if len(self._widths) >= _LETTERS:
                self._widths.clear()
            width = self._widths[letter] = self.font.getlength(letter)
        return width


@dataclass
class Writer:
    """Makes blocks of text and keeps the newest of them.

    Attributes:
        font: its file; without one Pillow's own is taken, and what is not ASCII is written as escapes.
        made: paragraphs that were drawn.
    """

    font: Path | None = None
    made: int = 0
    _drawn: "OrderedDict[object, Pixels]" = field(default_factory=OrderedDict)
    _types: dict[int, _Type] = field(default_factory=dict)

    def block(self, paragraphs: tuple[Paragraph, ...], width: int, size: int) -> Pixels:
        """The words on black, `width` pixels wide (height x width x 3, blue-green-red), `size` pixels a letter."""
        drawn = [self._paragraph(each, width, size) for each in paragraphs]
        return np.concatenate(drawn) if drawn else np.zeros((0, width, 3), np.uint8)

    def _paragraph(self, paragraph: Paragraph, width: int, size: int) -> Pixels:
        key = paragraph, width, size
        drawn = self._drawn.get(key)
        if drawn is None:
            drawn = self._drawn[key] = self._draw(paragraph, width, size)
            self.made += 1
            if len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(key)
        return drawn

    def _draw(self, paragraph: Paragraph, width: int, size: int) -> Pixels:
        face = self._load(size)
        lines = self._wrapped(paragraph, face, width)
        pitch = size + max(2, size // 3)
        image = Image.new("RGB", (width, pitch * len(lines)))
        draw = ImageDraw.Draw(image)
        for number, line in enumerate(lines):
            # The image is blue-green-red; so is what is drawn here, whatever Pillow calls it.
            draw.text((0, number * pitch), line, fill=paragraph.colour, font=face.font)
        return np.array(image, np.uint8).reshape(-1, width, 3)

    def _load(self, size: int) -> _Type:
        face = self._types.get(size)
        if face is None:
            try:
                font = ImageFont.load_default(size) if self.font is None else ImageFont.truetype(str(self.font), size)
            except OSError:
                log.warning("font %s cannot be read: CJK text is shown as escapes", self.font)
                self.font = None
                font = ImageFont.load_default(size)
            face = self._types[size] = _Type(font)
        return face

    def _wrapped(self, paragraph: Paragraph, face: _Type, width: int) -> list[str]:
        words = " ".join(paragraph.words[:LONGEST_PARAGRAPH].split())
        words = "".join(letter if letter.isprintable() else "?" for letter in words)
        if self.font is None:
            words = words.encode("ascii", "backslashreplace").decode()
        lines: list[str] = []
        while words and len(lines) < paragraph.lines:
            fits = max(1, face.fitting(words, width))
            if fits < len(words) and len(lines) + 1 == paragraph.lines:
                dots = "..."
                room = width - sum(map(face.font.getlength, dots))
                return [*lines, words[: face.fitting(words, room)] + dots]
            at = _break(words, fits)
            lines.append(words[:at].rstrip())
            words = words[at:].lstrip()
        return lines


def _break(words: str, fits: int) -> int:
    """Where to end a line: after the last word that fits. Scripts without spaces may be broken anywhere."""
    if fits >= len(words) or words[fits] == " ":
        return fits
    space = words.rfind(" ", 0, fits)
    split_word = words[fits - 1].isascii() and words[fits].isascii()
    return space + 1 if split_word and space > 0 else fits
