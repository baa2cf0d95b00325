"""From the release before to the present one while models serve and a robot walks: what changes, and what must not."""

import pytest
from tests.support.cluster import Object
from tests.support.release import Client
from tests.support.walk import STANDING, well_done
from tests.upgrade.conftest import Upgraded
from tests.upgrade.pods import runs
from tests.upgrade.stage import Secrets, contents, expected, versions

pytestmark = pytest.mark.timeout(1200)
"""With the time that the images of the release before take to be built."""
OLD = ("alpha-keys", "beta-keys", "gamma-keys", "beta-robot-keys")


def _without(found: Secrets, *names: str) -> Secrets:
    return {title: data for title, data in found.items() if title.partition("/")[2] not in names}


def test_every_key_keeps_its_bytes_and_none_is_new(upgraded: Upgraded) -> None:
    before, after = contents(upgraded.before), contents(upgraded.after)
    assert _without(after, *OLD) == expected(before, upgraded.stage)


def test_the_old_secrets_are_untouched(upgraded: Upgraded) -> None:
    def old(found: list[Object]) -> dict[str, str]:
        return {title: version for title, version in versions(found).items() if title.partition("/")[2] in OLD}

    assert len(old(upgraded.before)) == len(OLD)
    assert old(upgraded.after) == old(upgraded.before)


def test_no_secret_goes_with_something_of_the_release(upgraded: Upgraded) -> None:
    fixed = {secret["metadata"]["name"]: secret["metadata"] for secret in upgraded.after}
    for name in ("qwen3vl-internal", "qwen3vl-keys", "qwen3vl-robot-keys"):
        assert not fixed[name].get("ownerReferences"), name


def test_each_engine_restarts_once(upgraded: Upgraded) -> None:
    for model in upgraded.stage.names:
        assert len(upgraded.history.runs_of("engine", model)) == 2, model
    assert len(upgraded.history.runs_of("vln", upgraded.stage.names[1])) == 2


def test_one_model_at_a_time_the_oldest_first(upgraded: Upgraded) -> None:
    history = upgraded.history
    assert history.order_of_going() == upgraded.stage.names
    assert max(len(gone) for _, gone in history.away("engine")) == 1
    together = [
        (when, gone | walking)
        for (when, gone), (_, walking) in zip(history.away("engine"), history.away("vln"), strict=True)
    ]
    assert max(len(models) for _, models in together) == 1, together


def test_the_robot_holds_and_goes_on_to_its_goal(upgraded: Upgraded) -> None:
    walk = upgraded.walk
    well_done(walk, "red")
    assert {line.get("reason") for line in walk.said()} & set(STANDING), "it never had to hold"
    assert int(str(upgraded.report["connections"])) > 1, "the VLN API was never away"
    assert walk.status["session"]["id"] == upgraded.session, "it is still the same task"
    assert int(walk.status["steps"]["done"]) > upgraded.steps, "its steps go on counting"
    assert set(walk.phases) <= {"Pending", "Running", "Succeeded"}, walk.phases


def test_the_key_that_a_user_added_opens_the_gateway(upgraded: Upgraded, client: Client) -> None:
    answer = client("chat", model="gamma", with_picture=True, key=upgraded.user_key)
    assert answer["error"] is None, answer


def test_the_operator_said_no_traceback(upgraded: Upgraded) -> None:
    assert not upgraded.stage.home.tracebacks()
    assert not upgraded.stage.other.tracebacks()


def test_later_nothing_restarts_and_no_key_changes(upgraded: Upgraded) -> None:
    stage = upgraded.stage
    pods, secrets = runs(stage.pods()), versions(stage.secrets())
    assert len(pods) == 4
    for what, happens in upgraded.way.again().items():
        happens()
        stage.wait_looked_at()
        assert runs(stage.pods()) == pods, f"{what}: a pod restarted"
        assert versions(stage.secrets()) == secrets, f"{what}: a Secret was written"
