"""What a client may set about a task."""

from dataclasses import dataclass, field

from qwen3vl_common.navigation.settings import Camera, History, Keyframes, Limits, Prompt, Recording


@dataclass(frozen=True)
class Settings:
    """What a client may set about a task; an edit makes new ones. The parts are those of the contract.

    Attributes:
        limits: those that are held.
        wanted: those that were asked for, where ceilings bound them.
    """

    robot: str
    instruction: str
    limits: Limits = field(default_factory=Limits)
    keyframes: Keyframes = field(default_factory=Keyframes)
    history: History = field(default_factory=History)
    camera: Camera = field(default_factory=Camera)
    recording: Recording = field(default_factory=Recording)
    prompt: Prompt = field(default_factory=Prompt)
    visualize: bool = False
    wanted: Limits | None = None
