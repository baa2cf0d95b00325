"""When a connection is read."""

from uvicorn.protocols.http.flow_control import FlowControl


class PatientFlow(FlowControl):
    """Reading that stays paused although an application asks for more of its body: that one is complete."""

    held = False

    def hold(self) -> None:
        """Read no further."""
        self.held = True
        self.pause_reading()

    def let_go(self) -> None:
        """Read on."""
        self.held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()
