"""The demo: each step a command that a user would type, shown as it runs, with elapsed times. Standard library only."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from hack.devtools import demo_walk

from localkube.__main__ import backend
from localkube.report import Failure, say, step

ROOT = Path(__file__).resolve().parent.parent.parent
NAMESPACE = "qwen3vl-demo"
RELEASE = "qwen3vl"
MODEL = "simulator"
IMAGES = "localhost/qwen3vl"
READY_SECONDS = 180
ANSWER_SECONDS = 120


def run(*command: str, show: bool = True, stdin: str | None = None, advice: str = "") -> str:
    """Run a command of this repository; its output, which is also shown unless `show` is off.

    Raises:
        Failure: it failed.
    """
    if show:
        say(f"$ {' '.join(command)}")
    done = subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}:\n{(done.stderr or done.stdout).strip()}", advice)
    if show and done.stdout.strip():
        print(done.stdout.rstrip(), flush=True)
    return done.stdout


def stream(*command: str, advice: str) -> None:
    """Run a command that shows its own progress.

    Raises:
        Failure: it failed.
    """
    say(f"$ {' '.join(command)}")
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
        raise Failure(f"{' '.join(command)} failed", advice)


def kubectl(*arguments: str, show: bool = True, stdin: str | None = None, advice: str = "") -> str:
    """`kubectl` in the demo's namespace."""
    return run("hack/cluster/kubectl", "--namespace", NAMESPACE, *arguments, show=show, stdin=stdin, advice=advice)


def install(*, local: bool, values: Sequence[str]) -> None:
    """Namespace with Pod Security `restricted`, then the chart."""
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    run("hack/cluster/kubectl", "apply", "--filename", "-", stdin=json.dumps(namespace))
    chosen = list(values)
    if local:
        for part in ("operator", "server", "vln"):
            chosen += ["--set", f"{part}.image.repository={IMAGES}/{part},{part}.image.tag=dev"]
    arguments = ("upgrade", "--install", "--take-ownership", RELEASE, "charts/qwen3vl", "--namespace", NAMESPACE)
    advice = "see the pods: hack/cluster/kubectl --namespace qwen3vl-demo get pods,events"
    with step("installing the chart"):
        run("hack/cluster/helm", *arguments, "--wait", "--timeout", "180s", *chosen, show=False, advice=advice)


def apply_model() -> None:
    """Apply the example and show `kubectl get visionmodels` as it changes until the model is Ready."""
    kubectl("apply", "--filename", "examples/simulator.yaml")
    watch = subprocess.Popen(
        ["hack/cluster/kubectl", "--namespace", NAMESPACE, "get", "visionmodels", "--watch"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    printer = threading.Thread(target=_print_lines, args=(watch,), daemon=True)
    printer.start()
    started = time.monotonic()
    try:
        wait = ("wait", f"visionmodel/{MODEL}", "--for=condition=Ready", f"--timeout={READY_SECONDS}s")
        advice = f"ask why: hack/cluster/kubectl --namespace {NAMESPACE} get visionmodels --output wide"
        kubectl(*wait, show=False, advice=advice)
    finally:
        watch.terminate()
        watch.wait()
        printer.join(5)
    say(f"VisionModel {MODEL} is Ready {time.monotonic() - started:.1f} s after it was applied")


def _print_lines(process: "subprocess.Popen[str]") -> None:
    for line in process.stdout or ():
        say(f"  {line.rstrip()}")


def client_pod(name: str, script: str, image: str) -> str:
    """A pod that runs one of the example scripts against the gateway, with the key from the Secret."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    environment = [
        {"name": "OPENAI_BASE_URL", "value": f"http://qwen3vl-gateway.{NAMESPACE}/v1"},
        {"name": "OPENAI_API_KEY", "valueFrom": {"secretKeyRef": {"name": "qwen3vl-keys", "key": "default"}}},
        {"name": "HOME", "value": "/tmp"},  # noqa: S108 - the container's own
    ]
    container = {
        "name": "client",
        "image": image,
        "args": [script, "--model", MODEL],
        "env": environment,
        "securityContext": security,
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]},
        }
    )


def ask(name: str, script: str, image: str) -> None:
    """Run a client pod to its end and show what it printed.

    Raises:
        Failure: it failed or did not end in time.
    """
    say(f"asking about a generated picture from a pod: python {script} --model {MODEL}")
    kubectl("delete", "pod", name, "--ignore-not-found", "--wait=true", show=False)
    kubectl("apply", "--filename", "-", show=False, stdin=client_pod(name, script, image))
    started = time.monotonic()
    phase = ""
    while phase not in ("Succeeded", "Failed"):
        if time.monotonic() - started > ANSWER_SECONDS:
            raise Failure(f"pod {name} does not end", f"hack/cluster/kubectl -n {NAMESPACE} describe pod {name}")
        time.sleep(0.3)
        phase = kubectl("get", "pod", name, "--output", "jsonpath={.status.phase}", show=False)
    said = kubectl("logs", name, show=False).rstrip()
    print("\n".join(f"           | {line}" for line in said.splitlines()), flush=True)
    if phase == "Failed":
        raise Failure(
            f"{script} failed", f"the gateway's log: hack/cluster/kubectl -n {NAMESPACE} logs deploy/qwen3vl-gateway"
        )
    say(f"answered; the pod took {time.monotonic() - started:.1f} s from creation to end")


def is_up() -> bool:
    """Whether the local cluster runs."""
    return subprocess.run([ROOT / "hack/cluster/status"], capture_output=True).returncode == 0


def take_down(*, local: bool, cluster_too: bool) -> None:
    """Remove the demo: models first, then the release, then the namespace; the local cluster where it came with it."""
    with step("removing the demo"):
        if not local or is_up():
            kubectl("delete", "navtasks,visionmodels", "--all", "--wait=true", "--ignore-not-found", show=False)
            subprocess.run(
                ["hack/cluster/helm", "uninstall", RELEASE, "--namespace", NAMESPACE], cwd=ROOT, capture_output=True
            )
            run("hack/cluster/kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", show=False)
        if cluster_too:
            stream("hack/cluster/down", advice="see hack/cluster/status")


def how_to_go_on(*, local: bool) -> None:
    """What to type next."""
    print(f"""
The cluster runs on. Some things to try:

  hack/cluster/kubectl --namespace {NAMESPACE} get visionmodels --output wide
  hack/cluster/kubectl --namespace {NAMESPACE} scale visionmodel {MODEL} --replicas 2
  hack/cluster/kubectl --namespace {NAMESPACE} get navtasks --output wide
  hack/cluster/kubectl --namespace {NAMESPACE} delete statefulset {MODEL}-engine     # and see it come back
  hack/cluster/helm test {RELEASE} --namespace {NAMESPACE}
  ./hack/demo --down{"" if local else " --cluster current"}
""")


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 when the picture was answered twice and the robot is where it was sent."""
    parser = argparse.ArgumentParser(prog="hack/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running, and say how to go on")
    parser.add_argument("--down", action="store_true", help="only remove what an earlier --keep left")
    parser.add_argument(
        "--cluster", choices=("local", "current"), help="local: one made here; current: your kubeconfig's"
    )
    parser.add_argument("--client-image", default=f"{IMAGES}/client:dev", help="image of examples/clients/python")
    parser.add_argument("--world-image", default=f"{IMAGES}/world:dev", help="image of the robot and its building")
    parser.add_argument("--frames", type=Path, help="push the recorded .jpg files below this folder, print the plans")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "demo", help="where the pictures of the walk go")
    parser.add_argument(
        "--set", action="append", default=[], help="chart value, as for helm (images, with --cluster current)"
    )
    options = parser.parse_args(arguments)
    if options.cluster:
        os.environ["QWEN3VL_CLUSTER"] = options.cluster
    local = backend() == "local"
    if options.down:
        take_down(local=local, cluster_too=local)
        return 0
    started = time.monotonic()
    brings_the_cluster = local and not is_up()
    stream("hack/cluster/up", advice="read the message above; hack/cluster/down clears a half-finished cluster")
    if local:
        stream("hack/images", advice="read the message above; the script can simply be run again")
    install(local=local, values=[word for value in options.set for word in ("--set", value)])
    apply_model()
    ask("ask-plain", "vision.py", options.client_image)
    ask("ask-streamed", "stream.py", options.client_image)
    say(f"from the first command to the second answer {time.monotonic() - started:.0f} s")
    command = ("hack/cluster/kubectl", "--namespace", NAMESPACE)
    kubectl("wait", f"deployment/{MODEL}-vln", "--for=condition=Available", "--timeout=60s", show=False)
    kubectl("delete", "navtasks", "--all", "--wait=true", show=False)
    kubectl("delete", "pod", demo_walk.POD, "--ignore-not-found", "--wait=true", show=False)
    if options.frames:
        demo_walk.replay(kubectl, command, NAMESPACE, MODEL, options.world_image, options.frames)
    else:
        demo_walk.walk(kubectl, command, NAMESPACE, MODEL, options.world_image, options.out)
    say(f"done after {time.monotonic() - started:.0f} s")
    if options.keep:
        how_to_go_on(local=local)
    else:
        take_down(local=local, cluster_too=brings_the_cluster)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nstopped; ./hack/demo --down removes what is there", file=sys.stderr)
        sys.exit(130)
