"""The policy that walks, on pictures drawn here: to what is named, around what is in the way, and else it stands."""

import base64
import json
import math
from typing import Any

import cv2
import numpy as np
import pytest
from tests.support.images import jpeg

from qwen3vl_server.simulator import navigation
from qwen3vl_server.simulator.drive import SEARCH_RADIANS, decide
from qwen3vl_server.simulator.drive.instruction import wanted_colour
from qwen3vl_server.simulator.drive.sight import CAMERA_METRES, Picture, look
from qwen3vl_server.simulator.errors import BadRequestError
from qwen3vl_vln.parser import parse
from qwen3vl_vln.worker.prompt import request, schema

WIDTH, HEIGHT = 640, 480
FOCAL = WIDTH / 2
COLOURS = {"red": (38, 34, 200), "blue": (196, 84, 24), "green": (62, 150, 30)}
ASK = "Instruction: Walk to the {} door and stop."


Thing = tuple[str, float, float, float, float]
"""Colour, metres ahead, metres to the left, width, height."""


def room(*things: Thing) -> np.ndarray:
    """A grainy grey floor up to a pale wall, with these things."""
    picture = np.full((HEIGHT, WIDTH, 3), 215, np.uint8)
    picture[HEIGHT // 2 + 16 :] = (125, 112, 100)
    grain = np.random.default_rng(2).normal(0, 6, (28, WIDTH // 8))
    floor = cv2.resize(grain, (WIDTH, HEIGHT // 2 - 16))[..., None] + picture[HEIGHT // 2 + 16 :]
    picture[HEIGHT // 2 + 16 :] = floor.astype(np.uint8)
    for colour, ahead, left, wide, high in sorted(things, key=lambda thing: -thing[1]):
        x = [int(WIDTH / 2 - FOCAL * (left + side * wide / 2) / ahead) for side in (1, -1)]
        y = [int(HEIGHT / 2 + FOCAL * (CAMERA_METRES - up) / ahead) for up in (high, 0)]
        bgr = COLOURS.get(colour, (46, 74, 112))
        cv2.rectangle(picture, (x[0], y[0]), (x[1], y[1]), bgr, -1)
    noise = np.random.default_rng(1).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def door(colour: str, ahead: float, left: float = 0.0) -> Thing:
    return (colour, ahead, left, 0.9, 2.0)


def driven(decision: dict[str, Any]) -> tuple[float, float, float]:
    """Where the steps lead: metres ahead, metres to the left, radians."""
    x = y = yaw = 0.0
    for step in decision["waypoints"]:
        x += math.cos(yaw) * step["dx"] - math.sin(yaw) * step["dy"]
        y += math.sin(yaw) * step["dx"] + math.cos(yaw) * step["dy"]
        yaw += step["dtheta"]
    return x, y, yaw


def test_it_goes_towards_the_door_that_is_named() -> None:
    picture = room(door("red", 3.5, 0.8), door("blue", 3.5, -1.0))
    assert driven(decide([picture], ASK.format("red")))[1] > 0.05
    assert driven(decide([picture], ASK.format("blue")))[1] < -0.05
    assert driven(decide([picture], ASK.format("red")))[0] > 0.5


def test_distances_come_from_the_floor() -> None:
    target = look(Picture.of(room(door("red", 2.5, 0.5))), "red").target
    assert target is not None
    assert target.x == pytest.approx(2.5, rel=0.1) and target.y == pytest.approx(0.5, abs=0.15)


def test_it_goes_around_a_box() -> None:
    picture = room(door("red", 4.0), ("box", 1.6, 0.0, 0.6, 0.55))
    x, y, _ = driven(decide([picture], ASK.format("red")))
    assert x < 1.6 and (abs(y) > 0.1 or x < 1.0)
    for step in decide([picture], ASK.format("red"))["waypoints"]:
        assert 0 <= step["dx"] <= 0.5


def test_it_never_plans_into_what_stands_right_before_it() -> None:
    picture = room(door("red", 4.0), ("box", 0.75, 0.0, 1.6, 0.55))
    assert driven(decide([picture], ASK.format("red")))[0] < 0.4


def test_it_turns_to_search() -> None:
    decision = decide([room(door("blue", 3.0))], ASK.format("red"))
    assert [step["dx"] for step in decision["waypoints"]] == [0.0] and decision["waypoints"][0][
        "dtheta"
    ] == SEARCH_RADIANS


def test_it_holds_when_it_has_just_lost_the_door_and_then_goes_on_to_its_side() -> None:
    seen, empty = room(door("red", 3.0, -1.2)), room()
    held = decide([seen, empty], ASK.format("red"))
    assert held["waypoints"] == [] and held["action"] == "hold"
    _, y, yaw = driven(decide([seen, empty, empty], ASK.format("red")))
    assert y + math.sin(yaw) < -0.1


@pytest.mark.parametrize(("ahead", "arrived"), [(3.0, False), (1.2, False), (0.66, True)])
def test_it_has_arrived_right_before_the_door(ahead: float, arrived: bool) -> None:
    decision = decide([room(door("green", ahead))], ASK.format("green"))
    assert decision["reached_goal"] is arrived
    assert not (arrived and decision["waypoints"])


def test_it_stands_when_no_colour_is_named_or_nothing_is_seen() -> None:
    assert decide([room(door("red", 3.0))], "Instruction: Go home.")["waypoints"] == []
    assert decide([], ASK.format("red"))["waypoints"] == []


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("The door is blue.\nInstruction: Walk to the red door.", "red"),
        ("走到绿色的门", "green"),
        ("Instruction: 走到蓝色的门前停下", "blue"),
        ("Go to the RED one", "red"),
        ("I am bored", None),
        ("", None),
    ],
)
def test_the_colour_of_an_instruction(text: str, colour: str | None) -> None:
    assert wanted_colour(text) == colour


class TestRequests:
    def test_the_vln_api_s_own_schema_is_one_of_navigation(self) -> None:
        assert navigation.is_asked_for(schema(reverse=False))
        assert not navigation.is_asked_for({"type": "object", "properties": {"action": {"type": "string"}}})

    def test_the_answer_obeys_the_schema(self) -> None:
        decision = navigation.answer(schema(reverse=False), [room(door("red", 4.0))], ASK.format("red"))
        assert list(decision) == ["reached_goal", "waypoints", "action"]
        for step in decision["waypoints"]:
            assert 0 <= step["dx"] <= 1 and abs(step["dy"]) <= 0.5 and abs(step["dtheta"]) <= 0.8

    @pytest.mark.parametrize("left", [-2.0, -1.2, -0.4, -0.1, 0.0, 0.05, 0.3, 0.8, 2.0])
    @pytest.mark.parametrize("ahead", [0.5, 0.75, 0.9, 1.2, 2.5, 4.0])
    def test_its_answers_are_plans_to_the_parser(self, ahead: float, left: float) -> None:
        decision = navigation.answer(schema(reverse=False), [room(door("red", ahead, left))], ASK.format("red"))
        parsed = parse(json.dumps(decision), finish_reason="stop", profile="waypoints")
        wanted = "goal" if decision["reached_goal"] else "plan" if decision["waypoints"] else "hold"
        assert parsed.outcome == wanted and not parsed.clamped, (decision, parsed)

    def test_bounds_of_the_schema_bind(self) -> None:
        narrow = schema(reverse=False)
        narrow["properties"]["waypoints"]["items"]["properties"]["dx"]["maximum"] = 0.05
        narrow["properties"]["waypoints"]["maxItems"] = 2
        decision = navigation.answer(narrow, [room(door("red", 4.0))], ASK.format("red"))
        assert len(decision["waypoints"]) == 2 and all(step["dx"] <= 0.05 for step in decision["waypoints"])

    def test_other_steps_are_refused(self) -> None:
        odd = json.loads(json.dumps(schema(reverse=False)).replace('"dtheta"', '"spin"'))
        with pytest.raises(BadRequestError):
            navigation.answer(odd, [room(door("red", 4.0))], ASK.format("red"))

    @pytest.mark.parametrize("drives", [True, False])
    def test_only_the_drive_policy_moves(self, drives: bool) -> None:
        from qwen3vl_server.simulator.protocol import ChatRequest
        from qwen3vl_server.simulator.serving import Model

        done, data = cv2.imencode(".jpg", room(door("red", 4.0)))
        assert done
        body = request(
            "m",
            "Walk to the red door.",
            [jpeg(320, 240)],
            data.tobytes(),
            language="en",
            profile="waypoints",
            reverse=False,
        )
        assert base64.b64encode(data.tobytes()).decode() in json.dumps(body)
        reply = Model("m", 32768, drives=drives).chat(ChatRequest.model_validate(body))
        assert bool(json.loads(reply.text)["waypoints"]) is drives


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("things", "outcome", "turn"),
    [
        ([door("red", 3.5)], "plan", 0),
        ([door("red", 3.5, 1.5)], "plan", 1),
        ([door("red", 3.5, -1.5)], "plan", -1),
        ([door("blue", 3.5)], "plan", 1),
        ([door("red", 0.7)], "goal", 0),
    ],
)
def test_it_speaks_the_vocabulary_of_actions(language: str, things: list[Thing], outcome: str, turn: int) -> None:
    body = request("m", "Walk to the red door.", [], b"", language=language, profile="actions", reverse=False)
    assert "response_format" not in body
    texts = [body["messages"][0]["content"], body["messages"][1]["content"][-1]["text"]]
    assert navigation.is_asked_in_words(texts)
    text = navigation.sentence([room(*things)], texts)
    parsed = parse(text, finish_reason="stop", profile="actions")
    assert parsed.outcome == outcome, text
    if outcome == "plan":
        (step,) = parsed.waypoints
        assert (step.dtheta > 0) - (step.dtheta < 0) == turn and (step.dx > 0) == (turn == 0)
