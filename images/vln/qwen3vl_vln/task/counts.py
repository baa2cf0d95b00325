"""What a task has counted."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Frames, images and results, since the task was made."""

    frames: int = 0
    images: int = 0
    analysed: int = 0
    dropped: int = 0
    deadline_misses: int = 0
    model_errors: int = 0
    old_sequences: int = 0
    late_results: int = 0
