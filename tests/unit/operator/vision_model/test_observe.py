"""When the Events of those that wait are read: clocks of two machines are not compared alone."""

import asyncio

from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube
from tests.unit.operator.vision_model.pod_samples import pod
from tests.unit.operator.vision_model.world import Places

from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.store import Store
from qwen3vl_operator.vision_model.observe import EVENTS_AFTER_SECONDS, Observer
from qwen3vl_operator.vision_model.observed import Observed
from qwen3vl_operator.vision_model.spec import parse

KEY = Key("robots", "m")
MODEL = parse(samples.body("m", samples.SIMULATOR))
BEHIND = "2020-01-01T00:00:00Z"
WAITS = Observed(pods=[pod(node=None)])


def test_a_clock_that_is_behind_reads_events_of_what_it_has_seen_wait() -> None:
    async def scenario() -> None:
        observer = Observer(Store(), Places(), EventReader[Key](FakeKube(), notify=lambda _: None))
        assert not observer.with_events(KEY, MODEL, WAITS, BEHIND).unread
        await asyncio.sleep(EVENTS_AFTER_SECONDS)
        assert observer.with_events(KEY, MODEL, WAITS, BEHIND).unread, "they are wanted now"
        assert not observer.with_events(KEY, MODEL, Observed(), BEHIND).waits
        assert not observer.with_events(KEY, MODEL, WAITS, BEHIND).unread, "it waits anew"
        await asyncio.sleep(EVENTS_AFTER_SECONDS)
        observer.forget(KEY)
        assert not observer.with_events(KEY, MODEL, WAITS, BEHIND).unread, "forgotten with its model"

    run(scenario())


def test_what_waits_for_long_already_is_read_at_once() -> None:
    async def scenario() -> None:
        observer = Observer(Store(), Places(), EventReader[Key](FakeKube(), notify=lambda _: None))
        assert observer.with_events(KEY, MODEL, WAITS, "2030-01-01T00:00:00Z").unread

    run(scenario())
