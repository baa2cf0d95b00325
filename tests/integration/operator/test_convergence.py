"""Whatever was done to models, their children and their Secrets, in whatever order, and however the operator was killed
or cut off meanwhile: in the end there is what a new installation of the final specs makes.

One sequence runs by default; `QWEN3VL_FUZZ_SEEDS` and `QWEN3VL_FUZZ_STEPS` run others (docs/development.md). The steps
are printed: a seed and a number of steps repeat a sequence that shows a fault."""

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.operator.actions import World
from tests.integration.operator.api import Api, Namespace, Object, eventually
from tests.integration.operator.conftest import Operator, install_crd, operator_kubeconfig, spawn
from tests.integration.operator.likeness import Seen, differences, left_over, likeness, look, secrets_of, without
from tests.integration.operator.outages import Outages
from tests.integration.operator.rights import grant
from tests.integration.operator.steps import PLACES, steps
from tests.support.figures import Figures

from localkube.testing import CONTROLLERS, ApiServer, api_server, controller_manager
from qwen3vl_common.labels import served_name

SEED = "1"
STEPS = 200
CONVERGED_SECONDS = 100.0
"""A namespace that can be read again is served within 35 s, a Secret is read every 30 s; what failed waits longer."""
CONVERGED_GOAL_SECONDS = 35.0
READY_SECONDS = 60.0
SECRET_SECONDS = 40.0
QUIET_SECONDS = 2.0
USED_SHARE = 0.5
"""Of the steps, at least so many must find something to change: else nothing was tried."""
_numbers = itertools.count(1)


def seeds() -> list[int]:
    """Those that are asked for, else the one of every run."""
    result: list[int] = []
    for part in (os.environ.get("QWEN3VL_FUZZ_SEEDS") or SEED).split(","):
        first, _, last = part.partition("-")
        result += range(int(first), int(last or first) + 1)
    return result


def test_a_seed_and_a_number_name_a_sequence() -> None:
    assert steps(5, 300) == steps(5, 300) != steps(6, 300)
    kinds = {step.action for step in steps(5, 300)}
    assert {"restart_apiserver", "kill_operator", "remove_namespace", "take_rights"} < kinds


@dataclass
class Cluster:
    """An apiserver whose namespaces can be removed."""

    server: ApiServer
    api: Api


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One of its own, for it is stopped meanwhile; claims have a protection that a controller must lift."""
    with api_server(tmp_path_factory.mktemp("convergence")) as server:
        api = Api(server.url, server.pki)
        install_crd(api)
        with controller_manager(server, (*CONTROLLERS, "persistentvolumeclaim-protection-controller")):
            yield Cluster(server, api)


Installed = tuple[dict[str, Namespace], Callable[[], Operator]]


@contextmanager
def installation(cluster: Cluster, word: str, folder: Path) -> Iterator[Installed]:
    """Namespaces with the chart's rights, and what starts an operator of them; each ends with the block."""
    places = {letter: Namespace(cluster.api, f"{word}-{letter}") for letter in PLACES}
    for place in places.values():
        cluster.api.call("POST", "api/v1/namespaces", {"metadata": {"name": place.name}})
    release = places[PLACES[0]]
    release.create("serviceaccounts", {"metadata": {"name": "qwen3vl-operator"}})
    config = operator_kubeconfig(cluster.server, release, folder / f"{word}.kubeconfig")
    for letter in PLACES[1:]:
        grant(places[letter], release)
    log, nobody = folder / f"{word}.log", "http://127.0.0.1:1/{namespace}/{model}"
    watched = {"QWEN3VL_NAMESPACES": ",".join(place.name for place in places.values())}
    started: list[Operator] = []

    def start() -> Operator:
        started.append(spawn(config, release.name, log, nobody, watched))
        return started[-1]

    try:
        yield places, start
    finally:
        for operator in started:
            if operator.process.poll() is None:
                operator.kill()
        for place in places.values():
            cluster.api.call("DELETE", f"api/v1/namespaces/{place.name}")
    assert "Traceback" not in log.read_text()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", seeds())
def test_what_a_sequence_of_steps_leaves_is_what_a_new_installation_makes(
    cluster: Cluster, seed: int, tmp_path: Path, figure: Figures
) -> None:
    number = next(_numbers)
    with (
        installation(cluster, f"tried{number}", tmp_path) as (places, start),
        installation(cluster, f"fresh{number}", tmp_path) as (new_places, start_new),
    ):
        outages = Outages(cluster.server, places, start, lambda letter: world.forget(letter), start())
        world = World(places, outages)
        do_all(world, seed, int(os.environ.get("QWEN3VL_FUZZ_STEPS") or STEPS))
        operator, taken = world.give_back()
        _say("taken away, for their owners were:", taken)
        began = time.monotonic()
        eventually(lambda: places[PLACES[0]].find("secrets", "qwen3vl-internal"), SECRET_SECONDS)
        final = look(places)
        wanted = install_anew(new_places, start_new, final, world.users_entries)
        lingering = converged(world, operator, wanted, began + CONVERGED_SECONDS)
        took = time.monotonic() - began
        figure(f"seed {seed}: steps undone → as newly installed", took, "s", goal=CONVERGED_GOAL_SECONDS)
        outages.note_end("the end")
        assert outages.ended == []
        before = look(places, world.former_internals)
        operator.end()
        after = at_rest(places, start(), world.former_internals)
        going = secrets_of(before, lingering)
        written = differences(without(before.versions(), going), without(after.versions(), going))
        assert written == [], "\n".join(("a restart wrote:", *written, *differences(before.raw(), after.raw())))
        lost = differences(without(likeness(before), lingering), without(likeness(after), lingering))
        assert lost == [], "of a Secret with entries that are to go, no other goes"


def do_all(world: World, seed: int, count: int) -> None:
    """Do the steps; most of them find something to change."""
    began, used = time.monotonic(), 0
    for step in steps(seed, count):
        effect = world.do(step)
        used += effect
        _say(f"{time.monotonic() - began:7.2f} {step}{'' if effect else '  (nothing to change)'}")
    _say(f"seed {seed}: {used} of {count} steps changed something")
    assert used >= count * USED_SHARE


def converged(world: World, operator: Operator, wanted: dict[str, Any], deadline: float) -> list[str]:
    """Wait until what is there is what is wanted; what may be there beside that."""
    while True:
        seen = at_rest(world.places, operator, world.former_internals)
        found = likeness(seen)
        lingering = left_over(seen, found.keys() - wanted.keys())
        wrong = differences(without(found, lingering), wanted)
        if not wrong:
            _say("left over:", sorted(lingering))
            return lingering
        if time.monotonic() > deadline:
            pytest.fail("\n".join(("differs from a new installation:", *wrong)))


def install_anew(
    places: dict[str, Namespace], start: Callable[[], Operator], of: Seen, users_entries: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """What a new operator makes of the specs that the look found, beside the same internal key and users' own keys."""
    _secret(places[PLACES[0]], "qwen3vl-internal", of.secret(PLACES[0], "qwen3vl-internal"))
    for letter, entries in users_entries.items():
        found = of.secret(letter, "qwen3vl-robot-keys")
        kept = {name: value for name, value in found.items() if name in entries}
        assert sorted(kept) == sorted(entries), "users' own entries are gone"
        if kept:
            _secret(places[letter], "qwen3vl-robot-keys", kept)
    operator = start()
    _make_oldest_first(places, of)
    return likeness(at_rest(places, operator))


def _make_oldest_first(places: dict[str, Namespace], of: Seen) -> None:
    """Ages have a resolution of a second: rivals for one served name are made in different ones."""
    models = [(letter, one) for letter in places for one in of.objects[letter, "visionmodels"]]
    made_at: dict[str, float] = {}
    for letter, one in sorted(models, key=lambda pair: _precedence(pair[1])):
        rivals_made = made_at.get(served_name(one), 0.0)
        eventually(lambda rivals_made=rivals_made: time.time() - rivals_made > 1.1, 5)  # type: ignore[misc]
        places[letter].create("visionmodels", _bare(one))
        made_at[served_name(one)] = time.time()
    for letter, place in places.items():
        for one in sorted(of.objects[letter, "navtasks"], key=_precedence):
            place.create("navtasks", _bare(one))


def _bare(thing: Object) -> Object:
    kept = {name: thing[name] for name in ("apiVersion", "kind", "spec") if name in thing}
    return kept | {"metadata": {"name": thing["metadata"]["name"]}}


def _precedence(thing: Object) -> tuple[str, str]:
    return thing["metadata"]["creationTimestamp"], thing["metadata"]["uid"]


def _secret(place: Namespace, name: str, data: dict[str, str]) -> None:
    place.create("secrets", {"metadata": {"name": name}, "data": data})


def at_rest(places: dict[str, Namespace], operator: Operator, former_internals: Iterable[bytes] = ()) -> Seen:
    """What is there once the operator is ready and nothing has changed for a while."""
    eventually(lambda: operator.health() == 200, READY_SECONDS)
    deadline = time.monotonic() + CONVERGED_SECONDS
    seen, since = look(places, former_internals), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        assert time.monotonic() < deadline, f"not at rest after {CONVERGED_SECONDS} s"
        time.sleep(0.3)
        now = look(places, former_internals)
        if now.versions() != seen.versions():
            since = time.monotonic()
        seen = now
    return seen


def _say(*words: object) -> None:
    """Pytest shows it where a test fails."""
    print(*words)
