"""What a model says beside its numbers, in English and Chinese, that speaks against moving by them. Pure.

There is one list of stops, danger words and negated motions. A note that begins with one of them objects, and one that
has it as a whole short sentence; in the middle of a sentence it describes. Beside a JSON answer it objects wherever it
stands, and with it everything that makes the answer an example, a condition or a number in another unit."""

import re

from qwen3vl_vln.parser.names import plain
from qwen3vl_vln.parser.outcome import LONGEST_ENVIRONMENT

_SIGNS = "⛔🛑🚫⚠❌☠"
_STOP_EN = (
    r"stop(?:s|ped|ping)?\b(?!\s+(?:sign|line|button|light))|halt(?:s|ed|ing)?\b|freeze\b|abort\w*|brake\b|pause\b|"
    r"wait(?:ing)?\b(?!\s+(?:room|area|hall|line|zone))|hold\b|stand ?(?:still|by|down)\b|do nothing\b|"
    r"(?:stay|keep|remain)(?:ing)?(?: (?:still|put|here|where|in place|stationary|motionless)\b|\W*\Z)"
)
_DANGER_EN = (
    r"danger\w*|unsafe\w*|hazard\w*|warning\b|caution\w*|careful\w*|beware\b|watch out\b|look out\b|risk\w*|"
    r"emergency\b(?!\s+(?:exit|door|light|route))|(?:blocked|obstructed|impassable)\b|(?:not|never) safe\b|"
    r"fire\b(?!\s+(?:exit|door|extinguisher|hydrant|alarm|escape))|(?:some(?:one|body|thing)|people|person|child) "
    r"(?:is |are )?(?:right )?(?:in (?:the|my|its) way|in front|ahead)\b|(?:can ?not|can'?t|unable to) see\b|"
    r"camera (?:is )?(?:covered|blocked|dark)\b|"
    r"forbidden\b|prohibited\b|"
    r"(?:collision\b(?!\W+(?:free|avoid))|collid\w*)|(?:cliff|precipice|abyss|drop-?off)\b|alert\b|"
    r"(?:(?:obstacles?|wall|person|people|something)\s+(?:is\s+|are\s+)?)?(?:too|very)\s+close\b|no\b(?=\W*\Z)"
)
_MOTION_EN = (
    r"(?:move|moves|movement|motion|proceed|proceeding|go|going|drive|driving|walk|walking|advance|advancing|continue|"
    r"continuing|step|stepping|forwards?|ahead|turn|turning|rotate|rotating|enter|entering|cross|approach|approaching|"
    r"safe|safely|pass|passing|passage|path|way|route|left|right|backwards?|reverse|execute|follow)\b|"
    r"moving\b(?!\s+(?:object|obstacle|people|person|pedestrian|thing|vehicle|car))"
)
_NEGATED_EN = (
    r"(?:do(?:es)? not|do(?:es)?n'?t|never|cannot|can'?t|must ?n[o']t|should ?n[o']t|will not|won't|is ?n[o']t|"
    r"are ?n[o']t|am not|not|no|unable|impossible|avoid|refus\w+|forbidden|prohibited)\s+"
    r"(?:(?:to|be|safely?|any|more|further|longer|yet|now|try|attempt|even|keep|able|possible|the|robot|allowed|"
    rf"permitted|i|we|clear|free|visible|start)\s+){{0,4}}(?:{_MOTION_EN})"
)
_STOP_ZH = (
    r"停(?!车场|车位|车库|放|机坪|泊|着|靠)|刹车|急停|暂停|终止|中止|等待|等一|等等|等到|等(?=车|人|行)|待命|"
    r"保持(?:不动|静止|原地)|原地(?:不动|等|待|停)|静止(?!的|物)|站住"
)
_DANGER_ZH = (
    r"危|小心|当心|警告|警示|警报|不安全|有?风险|悬崖|紧急(?!出口|通道|疏散|照明)|碰撞|[会要]撞|相撞|堵|阻塞|阻挡|"
    r"被?挡住|禁|严禁|不通|注意|火灾|着火|跌落|坠落|(?:障碍物?|行?人|墙)?(?:距离|离得)?[太过]近|不(?=\W*\Z)"
)
_MOTION_ZH = (
    r"移动(?!物|的|障)|动(?!物|静|画|态|植|力)|走(?!廊|道)|行(?!人|李|车道)|前[进行移往]|进(?!口|门|深)|转(?!角|椅|盘|门|弯处)|"
    r"继续|通[过行路]|靠近|接近|后退|倒退|跑|路(?!标|灯|口|牌)|出路|左|右|向前|执行"
)
_NEGATED_ZH = (
    r"(?:不要|不能|不可以?|不得|不宜|不应该?|不许|不准|不必|不再|不会|不|别|勿|请勿|切勿|莫|无法|没法|没有?办法|不允许|禁止|"
    r"避免|拒绝|没有|没|无|未)(?:再|继续|乱|随意|安全|地|的|任何|可以?|能|往|向|朝|前|后|左|右|让|机器人){0,3}"
    rf"(?:{_MOTION_ZH})"
)
_OBJECTION = f"(?:{_STOP_EN}|{_DANGER_EN}|{_NEGATED_EN}|{_STOP_ZH}|{_DANGER_ZH}|{_NEGATED_ZH})"
_LEAD = (
    r"(?:(?:please|now|immediately|just|better|sorry|ok|okay|oh|let's|let|us|time|so|then|and|but|robot|the|a|an|i|we|you|it|it's|there|there's|this|that|is|are|am|be|"
    r"can|could|would|going|about|i'm|we're|it'll|forward|immediate|nothing|here|motion|moving|movement|proceeding|driving|walking|"
    r"must|should|shall|will|need|needs|have|has|to|very|too|path|way|route|road|area|floor|situation|ground|view|ahead|"
    r"front|in|of)(?![\w'])[\W_]*+|"
    r"(?:请|建议|应当|快|立即|立刻|马上|赶紧|必须|应该|应|需要|需|要|先|机器人|我们?|你|现在|前方|前面|道路|路|这里|此处|有|是|很|太|"
    r"非常|已经?|被)[\W_]*+){0,8}"
)
_BEGINS = re.compile(rf"[\W_]*+{_LEAD}{_OBJECTION}")
_ENDS = re.compile(r"[.!?;\n。！？；]+")
_SENTENCE = re.compile(rf"[\W_]*+{_LEAD}{_OBJECTION}.{{0,12}}", re.DOTALL)
"""And hardly more."""

_NEGATION = re.compile(r"\bnot\b|n't\b|\bnever\b|\bcannot\b|\bunable\b|不|没|未|别|勿|无")
_SOMEWHERE = re.compile(rf"\b(?:{_STOP_EN}|{_DANGER_EN})|{_STOP_ZH}|{_DANGER_ZH}|\b(?:stop|halt)\b|停")
_DOUBT = re.compile(
    r"\b(?:no|nor|wait|hold|pause|back|backwards?|avoid|instead|example|e\.g|sample|if|would|could|might|maybe|perhaps|"
    r"unsure|uncertain|sorry|previous\w*|earlier|wrong|incorrect|unless|until|ignore\w*|revers\w*|retreat|"
    r"discard|cancel\w*|repeat\w*|multipl\w*|scaled?|factor|times|swapped|mirrored|clockwise|coordinates?|ax[ie]s|"
    r"negative|positive|correct\w*|should|only|when|oops|actually|dx|dy|dtheta|theta|speed|velocit\w*)\b"
    r"|例如|比如|如果|等|避免|后退|倒退|忽略|取消|坐标|顺时针|倍|比例|轴|负|速度|更正|才能|但"
)
"""Beside a plan these make it an example, a condition or a warning, or turn its numbers into others."""
_OTHER_UNIT = re.compile(
    r"(?<![a-z])(?:units?|mm|cm|km|centi\w*|milli\w*|kilomet\w*|inch(?:es)?|feet|foot|ft|yards?|miles?|deg|degrees?|"
    r"percent\w*|pixels?|px)(?![a-z])|[%°‰×\d]|厘米|公分|毫米|公里|英寸|英尺|角度|[一二三四五六七八九十]\s?度|像素|百分|单位"
)
"""And any number: the answer has all that count."""
_CLEAR_WAY = re.compile(
    r"\bno (?:visible |immediate )?(?:obstacles?|obstructions?|danger|risk|hazards?)\b|"
    r"\bcollision-free\b|(?:没有|无)(?:明显|任何)?(?:障碍物?|危险|风险)"
)
_MARKUP = re.compile(r"[=<>\"\\`|$@]|//|/\*|\($|^\)|[“”‘「」『』]|'$|^'")
_GOAL_WORD = re.compile(r"\b(?:reached|arrived|finished|completed|accomplished)\b|到达|完成")
_ARROW = re.compile("[←→↑↓⬅➡⬆⬇]")


def objects(note: object) -> bool:
    """Whether a note begins with a stop, a danger or a negated motion, or has one as a whole short sentence."""
    if not isinstance(note, str):
        return False
    text = plain(note[:LONGEST_ENVIRONMENT])
    if any(sign in text for sign in _SIGNS) or _BEGINS.match(text):
        return True
    return any(_SENTENCE.fullmatch(sentence) for sentence in _ENDS.split(text))


def contradicts(text: str) -> bool:
    """Whether words beside a JSON answer, in plain spelling, speak against moving by it."""
    if _ARROW.search(text) or any(sign in text for sign in _SIGNS):
        return True
    text = _CLEAR_WAY.sub(" ", text)
    return any(found.search(text) for found in (_SOMEWHERE, _NEGATION, _DOUBT, _OTHER_UNIT, _GOAL_WORD))


def denies(text: str) -> bool:
    """Whether there is a negation in a text of plain spelling."""
    return bool(_NEGATION.search(text))


def tells_of_a_goal(text: str) -> bool:
    """Whether a text of plain spelling speaks of something that is reached."""
    return bool(_GOAL_WORD.search(text))


def is_markup(text: str) -> bool:
    """Whether what stands around a JSON value is code or markup and not words."""
    return bool(_MARKUP.search(text))
