"""Words of others without secrets, before they get into a status, an event or a log."""

import re
from collections.abc import Iterable

MASK = "***"
MIN_TAIL = 8
"""How much of a secret must stand at the beginning of a text that was cut in front to be known for its end."""

_NAMES = r"api[-_ ]?keys?|(?<![A-Za-z0-9])token|password|passwd|secret[-_]?(?:access[-_]?)?key"
_VALUE = r"""\[[^\]\n]*\]?|\([^)\n]*\)?|'[^'\n]*'?|"[^"\n]*"?|[^\s,;)\]}]+"""
_NO_VALUE = r"expected (?:one|at least one|\d+) arguments?\b"
"""The words of argparse: nothing secret follows."""
_PLAIN = (
    r"an?|and|are|as|at|before|budget|by|can|cannot|count|does|embedding|error|expected|file|for|from|had|has|ids?|in|"
    r"index|invalid|is|it|length|level|limit|list|missing|must|name|not|number|of|on|or|per|required|requests?|"
    r"returned|shape|size|than|that|the|to|type|vocabulary|was|with"
)
"""What may stand after the bare word "token" or "api key" in a sentence without being its value."""

_HINT = re.compile(r"(?i)api[-_ ]?key|token|passw|secret|bearer|authorization|://")
"""Without one of these no rule applies, which is what nearly every message is like."""
_RULES = (
    re.compile(r"(?i)(\bbearer\s+)[^\s'\",;)\]}]+"),
    re.compile(r"(?i)(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic|token|digest)\s+)[^\s'\",;)\]}]+"),
    # --api-keys takes several values: all of them up to the next flag.
    re.compile(r"(?i)(--?(?:[a-z]+-)*api[-_]?keys?(?:=|[ \t]+))[^\s-]\S*(?:[ \t]+[^\s-]\S*)*"),
    re.compile(rf"(?i)(--?(?:[a-z]+-)*(?:{_NAMES})(?:=|[ \t]+))[^\s-]\S*"),
    re.compile(rf"(?i)((?:{_NAMES})[\"']?(?:\s*=\s*|:\s*|\s+:\s*(?=[\"'\[])))(?!{_NO_VALUE})(?:{_VALUE})"),
    re.compile(rf"(?i)((?<![A-Za-z0-9_-])(?:api[-_ ]?keys?|token)[\"']?[ \t]+)(?!(?:{_PLAIN})\b)[^\s,;:=]+"),
    re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^/\s@]+(?=@)"),
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `***` for each of these secrets, and for whatever follows a word such as api-key, token or Bearer.

    Args:
        secrets: values, in any order; empty ones are passed over.
    """
    values = {part for secret in secrets for part in (secret, secret.strip()) if part.strip("*")}
    for secret in sorted(values, key=len, reverse=True):
        text = text.replace(secret, MASK)
        text = _without_tail(text, secret)
    if _HINT.search(text):
        for pattern in _RULES:
            text = pattern.sub(r"\1" + MASK, text)
    return text


def _without_tail(text: str, secret: str) -> str:
    """Without the end of a secret at the very beginning: the kubelet keeps only the end of a long log."""
    start = secret.find(text[:MIN_TAIL], 1)
    while 0 < start <= len(secret) - MIN_TAIL:
        if text.startswith(secret[start:]):
            return MASK + text[len(secret) - start :]
        start = secret.find(text[:MIN_TAIL], start + 1)
    return text
