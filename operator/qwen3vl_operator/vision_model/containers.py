"""What one container's status says of why it does not serve. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from qwen3vl_operator.vision_model.failures import Cause, Container, cause, later
from qwen3vl_operator.vision_model.notes import missing
from qwen3vl_operator.vision_model.termination import last_words
from qwen3vl_operator.vision_model.trouble import Trouble

IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
BEFORE_CREATION = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class About:
    """A container's surroundings.

    Attributes:
        who: how to call the pod in messages.
        title: how to call what runs in the container.
        patience_seconds: how long its startup probe lets it start; 0 without one.
        secrets: values that must not be quoted.
    """

    who: str
    title: str
    patience_seconds: int = 0
    secrets: Collection[str] = ()


def is_created(container: Container | None) -> bool:
    """Whether the kubelet has come so far as to make the container; what it tells before that stands in events."""
    if container is None:
        return False
    waiting = (container.get("state") or {}).get("waiting")
    return waiting is None or waiting.get("reason", "ContainerCreating") not in BEFORE_CREATION


def is_done(init: Container) -> bool:
    """Whether an init container lets the next one start: it ended well, or goes on beside the others."""
    ended = (init.get("state") or {}).get("terminated")
    return (
        ended.get("exitCode") == 0 if ended else bool(init.get("started") and (init.get("state") or {}).get("running"))
    )


def container_trouble(container: Container, about: About) -> Trouble:
    """Why a container that is there does not serve."""
    state = container.get("state") or {}
    waiting, runs = state.get("waiting") or {}, state.get("running")
    who = about.who
    if waiting.get("reason") in IMAGE_REASONS:
        detail = waiting.get("message", waiting["reason"])
        return Trouble("ImagePullError", f"{who}: image {container.get('image')}: {detail}")
    if waiting.get("reason") in CONFIG_REASONS:
        words = str(waiting.get("message") or waiting["reason"])
        return Trouble(_config_reason(words), f"{who}: {words}")
    if runs is not None and container.get("started") and about.patience_seconds:
        return Trouble("Unhealthy", f"{who}: {about.title} had started, and /health does not answer 200 now")
    ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    if ended or waiting.get("reason") == "CrashLoopBackOff":
        found = cause(container, ended, patience_seconds=about.patience_seconds, secrets=about.secrets)
        if found.reason is not None:
            return Trouble(found.reason, _death(container, ended, found, about) + _runs_again(runs))
        if runs is None:
            return Trouble("CrashLoop", _death(container, ended, found, about))
    if runs is not None:
        return Trouble("Loading", _loading(runs, about))
    return Trouble("Starting", f"{who}: {waiting.get('reason', 'starting')}")


def _config_reason(words: str) -> str:
    return missing(words) or ("ImageUserError" if last_words(words).reason == "ImageUserError" else "ConfigError")


def _death(container: Container, ended: Container, found: Cause, about: About) -> str:
    what = f"{about.who}: {about.title}"
    if found.reason == "OutOfMemory":
        return f"{what} was killed for using more memory than its limit, resources.memory"
    quoted = f": {found.line}" if found.line else "; see its log"
    if found.reason == "StartupTimeout":
        return f"{what} did not answer /health within {about.patience_seconds} s{quoted}"
    if found.reason in ("ConfigError", "ImageUserError"):
        return f"{what} could not be started{quoted}"
    restarts = container.get("restartCount", 0)
    return f"{what} ended with exit code {ended.get('exitCode', '?')}, {restarts} restarts{quoted}"


def _runs_again(runs: dict[str, Any] | None) -> str:
    if runs is None:
        return ""
    return "; it runs again" + (f" since {runs['startedAt']}" if runs.get("startedAt") else "")


def _loading(runs: dict[str, Any], about: About) -> str:
    """Since when it runs and until when it may: a large model loads for minutes, and its log is not read."""
    since = runs.get("startedAt")
    times = f" since {since}" if since else ""
    if since and about.patience_seconds:
        times += f", and may load until {later(since, about.patience_seconds)}"
    return f"{about.who}: {about.title} runs{times}; /health does not answer 200 yet"
