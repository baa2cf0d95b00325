"""A model outside its schema moves nothing: other keys, units and numbers, doubts, and words that speak against it."""

import json
import math

import pytest

from qwen3vl_vln.parser import ParseLimits, parse

from .answers import BACK, STEP, answer

PROFILES = (None, "waypoints", "actions")
TURN = {"dx": 0.0, "dy": 0.0, "dtheta": 0.5}


def outcomes(text: str) -> set[str]:
    return {parse(text, finish_reason="stop", profile=profile).outcome for profile in PROFILES}


def stands(text: str) -> bool:
    return outcomes(text) <= {"invalid", "hold", "stop"}


OTHER_KEYS = [
    *({name: value} for name in ("unit", "units", "frame", "coordinate_system", "scale") for value in ("m", "cm", 1)),
    *({name: False} for name in ("safe", "is_safe", "path_clear", "goal_reached", "note", "")),
    *({name: True} for name in ("collision", "obstacle", "stop", "Reached_Goal", "reachedGoal", "reached goal")),
    *({name: "stop"} for name in ("next_action", "status", "Action", "action ", " action", "动作", "行动", "state")),
    *({name: [STEP]} for name in ("plan", "path", "Waypoints", "waypoints_cm", "航点")),
    {"amount": 0.5},
    {"number": 2},
    {"target": "door"},
    {"point_2d": [500, 500]},
    {"reason": "clear"},
    {"环境": "走廊"},
]


@pytest.mark.parametrize("more", OTHER_KEYS, ids=str)
def test_a_key_that_was_not_asked_for_beside_waypoints(more: dict[str, object]) -> None:
    assert outcomes(answer(STEP, **more)) == {"invalid"}
    assert outcomes(json.dumps(more | json.loads(answer(STEP)))) == {"invalid"}


@pytest.mark.parametrize(
    "more",
    [
        *({name: "m"} for name in ("unit", "units", "frame")),
        *({name: 0} for name in ("dz", "x", "DX", "dx ", " dx", "dx_cm", "dx(m)", "d x", "ｄｘ", "dx\u200b", "theta")),
        {"action": "stop"},
        {"duration": 1},
        {"speed": 0.1},
        {"waypoints": [STEP]},
        {"safe": False},
        {"左": 1},
    ],
    ids=str,
)
def test_a_key_that_was_not_asked_for_in_a_waypoint(more: dict[str, object]) -> None:
    for steps in ([STEP | more], [STEP, STEP | more], [STEP, STEP | more, STEP]):
        assert outcomes(answer(*steps)) == {"invalid"}
        assert stands(json.dumps(steps))


@pytest.mark.parametrize("axis", ["dx", "dy", "dtheta"])
@pytest.mark.parametrize("key", ["{} ", "{}_cm", "{}_deg", "{} (m)", "{}\u200b", "Δ{}", "{}1"])
def test_another_spelling_of_a_key_in_the_place_of_it(axis: str, key: str) -> None:
    step = {key.format(name) if name == axis else name: value for name, value in STEP.items()}
    assert outcomes(answer(step)) == {"invalid"}


@pytest.mark.parametrize(
    "text",
    [
        f'{{"plan": {answer(STEP)}}}',
        f'{{"answer": {answer(STEP)}, "action": "forward"}}',
        f"[{answer(STEP)}]",
        f"[{answer(STEP)}, {answer(STEP)}]",
        json.dumps([STEP, {"task": "move", "action": "↑", "number": 1}]),
        json.dumps([[0.4, 0, 0]]),
        json.dumps({"reached_goal": False, "waypoints": [[0.4, 0, 0]]}),
        json.dumps({"reached_goal": False, "waypoints": STEP}),
        json.dumps({"reached_goal": False, "waypoints": [STEP, "stop"]}),
        json.dumps({"reached_goal": False, "waypoints": [STEP, None]}),
        json.dumps({"reached_goal": False, "waypoints": json.dumps([STEP])}),
        json.dumps(answer(STEP)),
        '{"reached_goal": false, "waypoints": [{"dx": 0.4, "dy": 0, "dy": 0.4, "dtheta": 0}]}',
        f'{{"reached_goal": false, "waypoints": [{json.dumps(STEP)}], "waypoints": []}}',
        f'{{"reached_goal": false, "reached_goal": true, "waypoints": [{json.dumps(STEP)}]}}',
        '{"reached_goal": false, "waypoints": [{"dx": 0,4, "dy": 0, "dtheta": 0}]}',
        '{"reached_goal": false, "waypoints": [{"dx": +0.4, "dy": 0, "dtheta": 0}]}',
        '{"reached_goal": false, "waypoints": [{"dx": 0.4m, "dy": 0, "dtheta": 0}]}',
        '{"reached_goal": false, "waypoints": [{"dx": ０.４, "dy": 0, "dtheta": 0}]}',
        '{"reached_goal": false, "waypoints": [{"d<|im_end|>x": 0.4, "dy": 0, "dtheta": 0}]}',
        f"{answer(STEP)}<|im_end|>{answer()}",
        '{"reached_goal": false, "waypoints": [{"dx": 0.4, "dy": 0, "dtheta": 0} /* stop */]}',
        "{'reached_goal': False, 'waypoints': [{'dx': 0.4, 'dy': 0, 'dtheta': 0}]}",
    ],
)
def test_another_form_than_the_schema_s(text: str) -> None:
    assert stands(text)


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        ({"dx": 1.5}, (1.0, 0.0, 0.1)),
        ({"dx": 1.01}, (1.0, 0.0, 0.1)),
        ({"dy": -0.75}, (0.4, -0.5, 0.1)),
        ({"dtheta": 1.2}, (0.4, 0.0, 0.8)),
        ({"dtheta": -1.0}, (0.4, 0.0, -0.8)),
    ],
)
def test_a_waypoint_that_is_a_little_too_large_is_clamped_and_the_last(
    step: dict[str, float], kept: tuple[float, float, float]
) -> None:
    parsed = parse(answer(STEP, STEP | step, STEP, STEP), finish_reason="stop")
    assert parsed.outcome == "plan" and parsed.clamped
    assert [(p.dx, p.dy, p.dtheta) for p in parsed.waypoints] == [(0.4, 0.0, 0.1), kept]


@pytest.mark.parametrize(
    "step",
    [
        *({"dx": number} for number in (1.51, 2, 50, 99, 1e9)),
        *({"dy": number} for number in (0.76, -0.76, 30, -5)),
        *({"dtheta": number} for number in (1.21, -1.21, math.pi / 2, 15, 30, -90)),
        *(dict.fromkeys(STEP, number) for number in (99, 9)),
        *({axis: number} for axis in STEP for number in (math.nan, math.inf, -math.inf)),
        *({axis: value} for axis in STEP for value in ("0.4", "0.4 m", "40 cm", "四", None, True, [0.4], {"m": 0.4})),
        BACK,
    ],
    ids=str,
)
def test_a_number_in_another_unit_wherever_it_stands(step: dict[str, object]) -> None:
    too_large = STEP | {"dx": 1.2}
    for steps in ([STEP | step], [STEP, STEP | step], [too_large, STEP | step], [*[STEP] * 6, STEP | step]):
        assert outcomes(answer(*steps)) == {"invalid"}
        assert stands(json.dumps(steps))


def test_backwards_with_permission_has_the_same_bounds() -> None:
    allowed = ParseLimits(reverse=True)
    for dx, kept in ((-0.5, -0.5), (-1.4, -1.0), (-1.6, None)):
        parsed = parse(answer({"dx": dx, "dy": 0, "dtheta": 0}, action=""), finish_reason="stop", limits=allowed)
        assert [point.dx for point in parsed.waypoints] == ([] if kept is None else [kept])


@pytest.mark.parametrize("count", [9, 12, 60, 64, 65])
def test_more_than_eight_waypoints_are_a_loop(count: int) -> None:
    assert outcomes(answer(*[STEP] * count)) == {"invalid"}


@pytest.mark.parametrize("count", [6, 7, 8])
def test_up_to_eight_waypoints_are_cut_to_five(count: int) -> None:
    parsed = parse(answer(*[STEP] * count), finish_reason="stop", profile="waypoints")
    assert parsed.outcome == "plan" and parsed.clamped and len(parsed.waypoints) == 5


@pytest.mark.parametrize("confidence", [-0.1, 1.01, 80, "0.9", "high", "90%", None, True, [0.9], math.nan])
def test_a_confidence_that_is_none_is_invalid(confidence: object) -> None:
    assert outcomes(answer(STEP, confidence=confidence)) == {"invalid"}
    assert outcomes(answer(STEP, STEP | {"confidence": confidence})) == {"invalid"}


@pytest.mark.parametrize(("confidence", "outcome"), [(0, "hold"), (0.09, "hold"), (0.1, "plan"), (1, "plan")])
def test_a_model_that_is_not_sure_is_not_followed(confidence: float, outcome: str) -> None:
    assert outcomes(answer(STEP, confidence=confidence)) == {outcome}
    assert outcomes(answer(STEP, STEP | {"confidence": confidence})) == {outcome}
    assert parse(answer(reached_goal=True, confidence=0.05), finish_reason="stop").outcome == "hold"


@pytest.mark.parametrize(
    ("action", "step", "agrees"),
    [
        ("left", {"dtheta": 0.06}, True),
        ("left", {"dy": 0.06}, True),
        ("left", {"dtheta": 0.05}, False),
        ("left", {"dx": 0.5}, False),
        ("左转", {"dtheta": -0.4}, False),
        ("turn left", {"dtheta": 0.4}, True),
        ("right", {"dtheta": -0.06}, True),
        ("right", {"dy": -0.06}, True),
        ("right", {"dy": -0.05}, False),
        ("向右转", {"dtheta": 0.4}, False),
        ("forward", {"dx": 0.03}, True),
        ("forward", {"dx": 0.02, "dtheta": 0.4}, False),
        ("前进", {"dtheta": 0.5}, False),
        ("Move forward.", {"dx": 0.5}, True),
        ("直行", {"dx": 0.5}, True),
        ("", {"dx": 0.5}, True),
        (None, {"dx": 0.5}, True),
    ],
)
def test_an_action_agrees_with_what_some_waypoint_does(
    action: str | None, step: dict[str, float], agrees: bool
) -> None:
    still = dict.fromkeys(STEP, 0.0)
    assert outcomes(answer(still, still | step, action=action)) == ({"plan"} if agrees else {"hold"})


@pytest.mark.parametrize(
    "action",
    [
        "backward",
        "go back",
        "turn around",
        "U-turn",
        "spin",
        "jump",
        "left or right",
        "forward left",
        "strafe left",
        "后退",
        "倒车",
        "掉头",
        "转身",
        "跳",
        "先左转再前进",
        "forward 0.5",
        "↑",
        "f",
        "search",
        "?",
    ],
)
def test_another_word_for_motion_beside_waypoints_is_invalid(action: str) -> None:
    assert outcomes(answer(STEP, action=action)) == {"invalid"}


OBJECTIONS = [
    *("Stop", "STOP!", "stop, a child", "Stopped.", "Halt now", "Wait for the person", "Please stop"),
    *("I must stop here", "We have to wait"),
    *("**Stop**: glass door", "⚠️ narrow", "🛑", "Ｓｔｏｐ", "Hold position", "Stay where you are", "Freeze"),
    *("Danger: a hole", "Dangerous stairs", "It is dangerous", "There is a cliff ahead", "Unsafe", "Warning, steps"),
    *("Caution!", "Emergency", "Blocked by a box", "The path is blocked", "Risk of collision", "Collision ahead"),
    *("Do not move", "Don't go on", "don’t move", "Never turn left", "Cannot proceed", "Can't continue"),
    *("Not safe here", "Not moving", "Let's stop", "Obstacle too close", "Too close to the wall", "No."),
    *("Unable to move", "We should not go", "You must not enter", "No safe path", "It is not safe to walk"),
    *("停", "停止！", "停下来", "请停", "必须停下", "立即停车", "前方危险", "危险：楼梯", "很危险", "小心台阶", "当心"),
    *("警告", "前方有悬崖", "紧急情况", "禁止通行", "不要动", "别动", "请勿前进", "不能继续前进"),
    *("无法通过", "不可前行", "有危险", "建议停止", "障碍物太近", "注意脚下", "不"),
    *("没有路", "不安全", "注意安全", "等待行人", "保持不动", "前方道路被堵住", "不得靠近", "未能前进"),
    *("Stairs ahead. Stop.", "A hall; do not move!", "楼梯。停！", "前面有人，很多人。危险！"),
]


@pytest.mark.parametrize("note", OBJECTIONS)
def test_notes_that_begin_with_an_objection_hold(note: str) -> None:
    for name in ("environment", "reasoning"):
        assert outcomes(answer(STEP, **{name: note})) == {"hold"}
    spoken = json.dumps({"action": "forward", "amount": 0.5, "reasoning": note}, ensure_ascii=False)
    assert {parse(spoken, finish_reason="stop", profile=profile).outcome for profile in (None, "actions")} == {"hold"}
    assert stands(answer(STEP, action=note)) and stands(answer(STEP, progress="stop"))


@pytest.mark.parametrize(
    "note",
    [
        "Corridor",
        "",
        "A stop sign on the wall",
        "There is a stop sign",
        "No obstacles ahead",
        "No people, clear floor",
        "Emergency exit on the left",
        "Waiting room",
        "A hall with a blocked door",
        "The goal is not in view yet",
        "Not far from the door",
        "Nothing in the way",
        "No danger",
        "collision-free corridor",
        "Stairs on the left",
        "走廊",
        "停车场入口",
        "没有障碍物",
        "无人走廊",
        "没有行人",
        "不远处有门",
        "紧急出口在左边",
        "没有移动物体",
        "别墅门口",
    ],
)
def test_notes_that_describe_do_not_hold(note: str) -> None:
    assert outcomes(answer(STEP, environment=note, reasoning=note)) == {"plan"}


@pytest.mark.parametrize("value", [["stop"], {"danger": True}, 1, True])
def test_notes_are_text(value: object) -> None:
    assert outcomes(answer(STEP, environment=value)) == {"invalid"}
    assert outcomes(answer(STEP, reasoning=value)) == {"invalid"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(("", text) for text in (" units: cm", " (all in centimetres)", " in degrees", "（单位：厘米）", " ×10")),
        *(("", text) for text in (" 30 度", " 角度")),
        *(("", text) for text in ("\n←", "\nforward", "\nmove forward 50 cm", "\n左转30度", " Danger!")),
        *(("", text) for text in (" repeat 5 times", " times 2")),
        *((text, "") for text in ("Units are inches. ", "# stop\n", "// x\n", "/* x */ ", "警告：")),
        *((text, "") for text in ("Right-handed axes: ", "危险，", "Emergency: ")),
        *(
            ("", text)
            for text in (" only when clear", " speed 2 m/s", " x2", " 0.5", " dx: -0.5", " y轴向右", " 但是先等")
        ),
        *(("", text) for text in (" left is negative", " Correction: less", " dy positive means right", " 以厘米计")),
        *(("'", "'"), ("“", "”"), ("Quote: “", "”")),
        *((text, "") for text in ("move forward 500 cm\n", "后退：", "Mirrored: ", "⚠️ ", "Cancel this: ", "忽略：")),
    ],
)
def test_words_beside_an_answer_that_change_it(before: str, after: str) -> None:
    assert stands(f"{before}{answer(STEP)}{after}")


@pytest.mark.parametrize(
    "text",
    [
        "Someone is ahead.",
        "There is a person right in front.",
        "The floor is wet.",
        "I cannot see the floor.",
        "前方有人",
        "有个孩子在地上",
        "地面湿滑",
        "The path is clear, so I go on to the door.",
        "Personne devant ?",
    ],
)
def test_words_beside_an_answer_that_do_more_than_announce_it_move_nothing(text: str) -> None:
    assert stands(f"{answer(STEP)} {text}") and stands(f"{text} {answer(STEP)}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Sure! Here is my decision:\n```json\n", "\n```"),
        ("Here are the waypoints: ", ""),
        ("好的，计划如下：\n", ""),
        ("Based on the current image, the planned trajectory is as follows:\n", ""),
        ("根据当前图像，机器人的下一步动作如下：", "\n这是计划。"),
        ("\ufeff", "<|im_end|>"),
    ],
)
def test_words_beside_an_answer_that_do_not_change_it(before: str, after: str) -> None:
    assert outcomes(f"{before}{answer(STEP)}{after}") == {"plan"}


FORMS = [
    ("The next action is to move forward by 50 cm", [(0.5, 0.0)]),
    ("下一个动作是：往前走 50 厘米", [(0.5, 0.0)]),
    ("ＴＵＲＮ ＬＥＦＴ ３０°", [(0.0, math.pi / 6)]),
    ("向右转 30 度！", [(0.0, -math.pi / 6)]),
    ("move forward 1.5 m", [(0.75, 0.0)] * 2),
    ("walk forward 2 meters", [(1.0, 0.0)] * 2),
    ("向前１．２米", [(0.6, 0.0)] * 2),
    ("turn left 90 degrees", [(0.0, math.pi / 4)] * 2),
    ("右转180度", [(0.0, -math.pi / 4)] * 4),
    ('{"action": "forward", "amount": 1.8, "reasoning": "clear"}', [(0.9, 0.0)] * 2),
    ('{"action": "right", "amount": 60}', [(0.0, -math.pi / 6)] * 2),
    ("forward " * 7, [(0.5, 0.0)] * 5),
    ('{"target": "door", "point_2d": [1, 2], "label": "a"}\n↑', [(0.25, 0.0)]),
]


@pytest.mark.parametrize(("text", "steps"), FORMS)
def test_an_amount_is_driven_as_it_is_written_in_equal_waypoints(text: str, steps: list[tuple[float, float]]) -> None:
    parsed = parse(text, finish_reason="stop", profile="actions")
    assert [(p.dx, p.dtheta) for p in parsed.waypoints] == [pytest.approx(step) for step in steps]


NO_SENTENCES = [
    *("move forward 2.1 m", "move forward 201 cm", "turn left 181 degrees", "前进 3 米", "左转 270 度", "forward " * 9),
    *("↑" * 9, "turn left 30 度", "左转 30 degrees", "move forward 50", "move forward 20 inches", "left ↑"),
    *(
        "turn left 0.5 rad",
        "turn left 30",
        "向后 50 厘米",
        "move backward 50 cm",
        "向前五十厘米左右",
        "move forward 50 m/s",
    ),
    *(
        "请勿向前50厘米",
        "别左转30度",
        "不左转30度",
        "never turn left 30 degrees",
        "move forward -50 cm",
        "forward -0.5",
    ),
    *("move forward 50 cm or turn left", "向前50厘米或左转30度", "move forward 0x10 cm", "move forward 1e1 cm"),
    *(
        "left 50 cm",
        "forward 30 degrees",
        "move forward 50-75 cm",
        "move forward about 50 cm",
        "向前负50厘米",
        "forward?",
    ),
    *("move forward 50 cm?", "if clear move forward 50 cm", "move forward 50 cm and stop", "left 30 degrees or right"),
    *("move forward 50 cm, danger", "move forward 50 cm\nturn left 30 degrees", "move forward NaN cm"),
]
MORE_IN_AN_ACTION: list[dict[str, object]] = [
    {"unit": "m"},
    {"safe": False},
    {"reason": "stop"},
    {"confidence": 0.9},
    {"direction": "left"},
    {"number": 1},
    {"Action": "stop"},
    {"environment": "hall"},
    {"reasoning": ["stop"]},
    {"waypoints": []},
    {"reached_goal": False},
]
MOVE: dict[str, object] = {"task": "move", "action": "↑", "number": 2}
BESIDE_A_MOVE: list[dict[str, object]] = [
    {"unit": "m"},
    {"number": 9},
    {"amount": 2},
    {"target": {"unit": "cm"}},
    {"label": "停"},
]
AFTER_A_MOVE: list[dict[str, object]] = [{"task": "look", "speed": 1}, {**STEP}, {"task": "do not move"}]


@pytest.mark.parametrize(
    "text",
    [
        *NO_SENTENCES,
        *(
            json.dumps({"action": "forward", "amount": value})
            for value in (2.1, 50, 99, -0.5, "0.5", "50 cm", [1], True)
        ),
        *(json.dumps({"action": "left", "amount": value}) for value in (181, -30, "30", 1, None)),
        *(json.dumps({"action": "forward", "amount": 0.5, **more}) for more in MORE_IN_AN_ACTION),
        *(json.dumps([MOVE | more]) for more in BESIDE_A_MOVE),
        *(json.dumps([MOVE, more]) for more in AFTER_A_MOVE),
        '{"target": "door", "point_2d": [1, 2], "unit": "cm"}\n↑',
        '{"target": "stop", "point_2d": null}\n↑↑',
        '{"target": "door", "point_2d": {"x": 1}}\n↑',
        '{"target": "door"}\n↑',
        '{"action": "stop", "point_2d": null}\n↑',
    ],
)
def test_no_other_amount_and_no_other_form_moves_in_a_vocabulary(text: str) -> None:
    assert stands(text)


@pytest.mark.parametrize(
    "text", [json.dumps({"action": "forward", "amount": 0.5}), json.dumps([MOVE]), json.dumps([STEP])]
)
def test_those_forms_move_as_they_are(text: str) -> None:
    assert parse(text, finish_reason="stop", profile="actions").outcome == "plan"


@pytest.mark.parametrize(
    "note",
    [
        "You can not move",
        "Moving forward is unsafe",
        "Proceeding is not safe",
        "Forward motion is forbidden",
        "Path forward is blocked",
        "We are about to collide",
        "I am going to stop",
        "I'm stopping",
        "Immediate stop required",
        "Fire ahead",
        "Someone is in the way",
        "A person is right in front",
        "Camera is covered",
        "Cannot see anything",
    ],
)
def test_notes_that_speak_against_moving_in_other_words_hold(note: str) -> None:
    assert stands(answer(STEP, environment=note)) and stands(answer(STEP, reasoning=note))
