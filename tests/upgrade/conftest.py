"""The release before, upgraded in each way: what was there, what happened meanwhile, what is there now."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster import Api, Object, namespace, proxy
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import Client
from tests.support.walk import Walk
from tests.upgrade import before as release_before
from tests.upgrade.pods import History
from tests.upgrade.stage import Stage
from tests.upgrade.ways import WAYS, Way

ROLLED_OUT_SECONDS = 240


@dataclass(frozen=True)
class Upgraded:
    """An upgrade that has taken place.

    Attributes:
        user_key: the one that somebody added to users' keys.
        before: the Secrets then.
        after: the Secrets now.
        history: the models' pods meanwhile.
        walk: of the robot that walked meanwhile; it has ended.
        session, steps: of its task, just before the upgrade.
        report: what the robot said at its end.
    """

    way: Way
    stage: Stage
    user_key: str
    before: list[Object]
    after: list[Object]
    history: History
    walk: Walk
    session: str
    steps: int
    report: dict[str, Any]


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    with proxy() as api:
        yield api


@pytest.fixture(scope="session")
def old_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the release before, with its images in the node."""
    if not release_before.is_here():
        pytest.skip(
            f"this clone does not have commit {release_before.COMMIT}, the release before: git fetch --unshallow"
        )
    folder = tmp_path_factory.mktemp("before")
    release_before.unpack(folder)
    release_before.build_images(folder)
    return folder


@pytest.fixture(scope="session", params=list(WAYS))
def upgraded(request: pytest.FixtureRequest, api: Api, old_release: Path, figure: Figures) -> Iterator[Upgraded]:
    with namespace(api, "home") as home, namespace(api, "other") as other:
        way, stage = WAYS[request.param](home), Stage(home, other)
        way.install(old_release / "charts/qwen3vl", release_before.values(home.name, other.name))
        stage.make_models()
        user_key = stage.add_keys()
        before = stage.secrets()
        walk = stage.walk()
        session, steps = str(walk.status["session"]["id"]), int(walk.status["steps"]["done"])
        with History(api, (home.name, other.name)) as history:
            begun = time.monotonic()
            way.upgrade()
            figure(f"{way.name}: upgraded until operator and gateway are Ready", time.monotonic() - begun, "s")
            eventually(stage.is_upgraded, ROLLED_OUT_SECONDS, "every model is rolled out", show=lambda: _told(stage))
            figure(f"{way.name}: upgraded until every model is rolled out", time.monotonic() - begun, "s")
            report = walk.report(240)
        longest = max(history.seconds_away("engine", model) for model in stage.names)
        figure(f"{way.name}: longest time that a model had no engine", longest, "s")
        figure(f"{way.name}: robots' model without a VLN API", history.seconds_away("vln", stage.names[1]), "s")
        figure(f"{way.name}: the robot stood on its way (it speaks once a second)", len(_stood(walk)), "s")
        yield Upgraded(way, stage, user_key, before, stage.secrets(), history, walk, session, steps, report)
        walk.end()
        for target, model in stage.models:
            target.kubectl("delete", "visionmodel", model, "--wait=true")


def _stood(walk: Walk) -> list[dict[str, Any]]:
    """What the robot said while it stood between its first metre and its goal."""
    said = [line for line in walk.said() if "seconds" in line]
    begun = next(number for number, line in enumerate(said) if line["state"] == "moving")
    return [line for line in said[begun:] if line["state"] not in ("moving", "goal")]


def _told(stage: Stage) -> str:
    return str({name: target.get("visionmodels", name).get("status") for target, name in stage.models})


@pytest.fixture(scope="session")
def client(upgraded: Upgraded) -> Client:
    """A pod that asks the gateway."""
    client = Client(upgraded.stage.home)
    client.start()
    return client
