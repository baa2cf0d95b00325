"""Base64 in the one form that every engine reads: its alphabet, its padding, and nothing else."""

import pybase64

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_server.gateway.request.limits import SLICE_BYTES
from qwen3vl_server.gateway.request.skeleton import Body, Run
from qwen3vl_server.gateway.request.turns import Turns

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


async def check_base64(body: Body, run: Run, param: str, turns: Turns) -> None:
    """Look at every character.

    Data that is right and plain is decoded, which is the fastest check there is; all other is looked at closely.

    Args:
        run: where in the body it is.
        param: its place, for the error.

    Raises:
        InvalidRequest: a wrong character, empty, or cut off.
    """
    if run.escaped or not await _decodes(memoryview(body)[run.start : run.end], turns):
        await _look_closely(body, run, param, turns)


async def _decodes(data: memoryview, turns: Turns) -> bool:
    if not data or len(data) % 4:
        return False
    for start in range(0, len(data), SLICE_BYTES):
        piece = data[start : start + SLICE_BYTES]
        await turns.take(len(piece))
        try:
            size = len(pybase64.b64decode(piece, validate=True))
        except ValueError:
            return False
        if start + SLICE_BYTES < len(data) and size * 4 != len(piece) * 3:
            return False  # padding, and more behind it
    return True


async def _look_closely(body: Body, run: Run, param: str, turns: Turns) -> None:
    start, end, length = run.start, run.end, 0
    padding = 0
    while padding < 2 and end > start and body[end - 1] == 61:
        end, padding = end - 1, padding + 1
    while start < end:
        stop = min(end, start + SLICE_BYTES)
        await turns.take(stop - start)
        piece = body[start:stop]
        if run.escaped:
            if piece.endswith(b"\\"):
                piece, stop = body[start : stop + 1], stop + 1
            piece = piece.replace(b"\\/", b"/")
        length += len(piece)
        if wrong := piece.translate(None, _ALPHABET):
            raise InvalidRequest(_no_base64(bytes(wrong[:1])), param=param, code="invalid_image")
        start = stop
    if (length + padding) % 4 or length % 4 == 1 or not length:
        raise InvalidRequest(
            "the picture's data is empty or cut off: base64 comes in groups of four characters, the last one "
            "filled up with =",
            param=param,
            code="invalid_image",
        )


def _no_base64(character: bytes) -> str:
    if character in (b"-", b"_"):
        return "the picture's data is base64 of the URL-safe alphabet: use + and / instead of - and _"
    if character in (b"\n", b"\r", b" "):
        return "the picture's base64 has line breaks or spaces: send it in one piece"
    return "the picture's data is not base64"
