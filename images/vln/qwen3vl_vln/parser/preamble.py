"""The few words that may stand beside a JSON answer that moves a robot: those that announce it. Pure.

Whatever else a model says there is outside what it was asked for, and nobody can list all that speaks against moving:
"someone is ahead" holds no word of danger."""

import re

_ENGLISH = re.compile(
    r"a|an|and|answers?|are|as|based|below|certainly|command|course|current|decisions?|executed|following|follows|for|"
    r"frame|given|here|here's|i|image|in|instruction|is|it|json|let|me|my|navigation|next|object|of|ok|okay|on|output|"
    r"path|picture|plan|planned|plans|provide|response|result|robot|robot's|sequence|shows?|steps?|sure|that|the|these|"
    r"this|to|trajectory|understood|view|waypoints?|what|will|yes|your"
)
_PHRASES = re.compile(
    "好的?|当然|可以|以下|如下|下面|这是|这|是|为|我的?|机器人的?|根据|基于|当前|指令|图像|图片|画面|导航|路径|路线|规划|"
    "计划|决定|决策|航点|路点|动作|下一步|的|结果|答案|回答|输出|回复|给出|所示"
)
_WORD = re.compile(r"[a-z']+")
_PUNCTUATION = re.compile(r"[\s\ufeff.,:;!?。，：；！？、~*#_-]+")


def is_preamble(text: str) -> bool:
    """Whether a text of plain spelling only announces the answer that stands beside it."""
    if not all(_ENGLISH.fullmatch(word) for word in _WORD.findall(text)):
        return False
    rest = _PHRASES.sub("", _WORD.sub("", text))
    return not _PUNCTUATION.sub("", rest)
