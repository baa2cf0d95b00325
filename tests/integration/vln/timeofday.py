"""A time of day that a test sets for one program while it runs, by libfaketime; its monotonic clocks stay true."""

import sysconfig
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path("/usr/lib") / str(sysconfig.get_config_var("MULTIARCH")) / "faketime" / "libfaketimeMT.so.1"
PACKAGE = "faketime"


@dataclass(frozen=True)
class TimeOfDay:
    """A file that says how many seconds off the program's time of day is."""

    file: Path

    def __post_init__(self) -> None:
        self.step(0)

    @property
    def environment(self) -> dict[str, str]:
        """What a program that follows it is started with."""
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """Set the program's time of day to this much off."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self.file)
