"""Events on a real apiserver: ours are taken, counted up and found by their object; others' are read by uid."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator

from kubernetes.aio import client
from tests.integration.operator.api import Namespace, Object
from tests.integration.operator.conftest import model

from localkube.testing import ApiServer
from qwen3vl_operator.kube.calls import Call
from qwen3vl_operator.kube.client import HttpKube
from qwen3vl_operator.kube.event_reader import EventReader
from qwen3vl_operator.kube.event_writer import EventWriter
from qwen3vl_operator.kube.resources import CLAIMS, PODS

EVENT_KIND = {"apiVersion": "v1", "kind": "Event"}


@contextlib.asynccontextmanager
async def administrator(server: ApiServer, calls: list[Call]) -> AsyncIterator[HttpKube]:
    configuration = client.Configuration(host=server.url)
    configuration.ssl_ca_cert = str(server.pki / "ca.crt")
    configuration.cert_file, configuration.key_file = str(server.pki / "admin.crt"), str(server.pki / "admin.key")
    async with client.ApiClient(configuration) as api:
        yield HttpKube(api, calls.append)


def time_of_day() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ours(namespace: Namespace) -> list[Object]:
    """Our Events, as `kubectl events --for` finds them."""
    return sorted(namespace.list("events"), key=lambda event: event["reason"])


async def test_an_event_of_ours_is_taken_and_counted_up(server: ApiServer, namespace: Namespace) -> None:
    about = namespace.create("visionmodels", model()) | {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "VisionModel"}
    calls: list[Call] = []
    async with administrator(server, calls) as kube:
        writer = EventWriter(kube, now=time_of_day)
        await writer.emit(about, type_="Warning", reason="OutOfGPUMemory", message="CUDA out of memory")
        await writer.emit(about, type_="Warning", reason="OutOfGPUMemory", message="x" * 3000)
        await writer.emit(about, type_="Normal", reason="Ready", message="2 of 2 replicas serve")
        # As after a start anew of the operator: it does not know of the first one, and makes another.
        await EventWriter(kube, now=lambda: "2026-03-01T12:00:00Z").emit(
            about, type_="Normal", reason="Unready", message="1 of 2 replicas serves"
        )
    assert [(call.verb, call.result) for call in calls] == [("create", "ok"), ("patch", "ok")] + [("create", "ok")] * 2
    memory, ready, unready = ours(namespace)
    assert (memory["type"], memory["count"], memory["message"]) == ("Warning", 2, "x" * 1024)
    assert memory["involvedObject"]["uid"] == about["metadata"]["uid"]
    assert memory["source"] == {"component": "qwen3vl-operator"}
    assert (ready["type"], ready["count"]) == ("Normal", 1)
    assert unready["firstTimestamp"] == unready["lastTimestamp"] == "2026-03-01T12:00:00Z"
    by_object = namespace.api.call(
        "GET", f"api/v1/namespaces/{namespace.name}/events?fieldSelector=involvedObject.uid={about['metadata']['uid']}"
    )
    assert len(by_object["items"]) == 3


async def test_an_event_that_was_deleted_is_made_again_and_a_namespace_that_is_not_there_hurts_nobody(
    server: ApiServer, namespace: Namespace
) -> None:
    about = namespace.create("visionmodels", model()) | {"apiVersion": "qwen3vl.io/v1alpha1", "kind": "VisionModel"}
    nowhere = about | {"metadata": {"name": "m", "namespace": "no-such-namespace", "uid": "1"}}
    calls: list[Call] = []
    async with administrator(server, calls) as kube:
        writer = EventWriter(kube, now=time_of_day)
        await writer.emit(nowhere, type_="Normal", reason="Ready", message="")
        await writer.emit(about, type_="Normal", reason="Ready", message="first")
        (event,) = ours(namespace)
        namespace.delete("events", event["metadata"]["name"])
        await writer.emit(about, type_="Normal", reason="Ready", message="second")
    (event,) = ours(namespace)
    assert (event["count"], event["message"]) == (1, "second")
    assert [(call.verb, call.result) for call in calls] == [
        ("create", "absent"),
        ("create", "ok"),
        ("patch", "absent"),
        ("create", "ok"),
    ]


async def test_what_others_say_about_a_pod_and_a_claim_is_read_by_their_uids(
    server: ApiServer, namespace: Namespace
) -> None:
    spec = {"containers": [{"name": "c", "image": "registry.example/c:1"}]}
    pod = namespace.create("pods", {"metadata": {"name": "m-engine-0"}, "spec": spec})
    claim_spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = namespace.create("persistentvolumeclaims", {"metadata": {"name": "weights"}, "spec": claim_spec})
    say(namespace, "Pod", pod, "FailedMount", "hostPath type check failed")
    say(namespace, "PersistentVolumeClaim", claim, "ProvisioningFailed", 'storageclass "fast" not found')
    say(namespace, "Pod", {"metadata": {"name": "other", "uid": "other"}}, "FailedMount", "somebody else's")

    told: asyncio.Queue[str] = asyncio.Queue()
    async with administrator(server, []) as kube:
        reader: EventReader[str] = EventReader(kube, notify=told.put_nowait)
        running = asyncio.create_task(reader.run())
        try:
            reader.want("pod", PODS, namespace.name, "m-engine-0", pod["metadata"]["uid"])
            reader.want("claim", CLAIMS, namespace.name, "weights", None)
            async with asyncio.timeout(20):
                assert {await told.get(), await told.get()} == {"pod", "claim"}
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    (mount,) = reader.notes("Pod", namespace.name, "m-engine-0")
    (provisioning,) = reader.notes("PersistentVolumeClaim", namespace.name, "weights")
    assert (mount.reason, mount.message) == ("FailedMount", "hostPath type check failed")
    assert provisioning.message == 'storageclass "fast" not found'
    assert mount.time == "2026-03-01T12:00:00Z"


def say(namespace: Namespace, kind: str, about: Object, reason: str, message: str) -> None:
    """An Event as the kubelet or a controller writes it."""
    metadata = about["metadata"]
    involved = {"apiVersion": "v1", "kind": kind, "name": metadata["name"], "uid": metadata["uid"]}
    times = dict.fromkeys(("firstTimestamp", "lastTimestamp"), "2026-03-01T12:00:00Z")
    body = EVENT_KIND | {
        "metadata": {"generateName": "said-"},
        "involvedObject": involved | {"namespace": namespace.name},
        "reason": reason,
        "message": message,
        "type": "Warning",
        **times,
    }
    namespace.create("events", body)
