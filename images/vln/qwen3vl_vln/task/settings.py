"""What a client may set about a task."""

from dataclasses import dataclass, field

from qwen3vl_common.navigation.settings import Camera, History, Keyframes, Limits


@dataclass(frozen=True)
class Settings:
    """What a client may set about a task; an edit makes new ones.

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
    recording: bool = False
    visualize: bool = False
    profile: str = "waypoints"
    language: str = "en"
    wanted: Limits | None = None
