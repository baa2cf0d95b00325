"""The person beside the robot: agrees to each movement, and sees what no odometry can say."""

import sys
from typing import Protocol

YES, NO = ("y", "yes"), ("n", "no")


class Person(Protocol):
    """Who is asked."""

    def agrees(self, movement: str) -> bool:
        """Whether the base may do this now."""

    def saw(self, question: str) -> bool | None:
        """Yes, no, or None where nobody can say."""

    def metres(self, question: str) -> float | None:
        """A length by the tape, or None where nobody measured."""


def say(text: str) -> None:
    """Tell the person something; standard output is for the result alone."""
    print(text, file=sys.stderr, flush=True)


class AtTerminal:
    """Asks on the terminal. An end of the input is a no."""

    def agrees(self, movement: str) -> bool:
        say(f"\nNext: {movement}")
        return self._ask("Is there room, and a hand at the emergency stop? [y/N] ") in YES

    def saw(self, question: str) -> bool | None:
        while True:
            said = self._ask(f"{question} [y/n, Enter: not seen] ")
            if said in (*YES, *NO, ""):
                return said in YES if said else None

    def metres(self, question: str) -> float | None:
        while True:
            said = self._ask(f"{question} [metres, Enter: not measured] ").replace(",", ".")
            try:
                return float(said) if said else None
            except ValueError:
                say(f"{said!r} is no number")

    def _ask(self, question: str) -> str:
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower()


class Nobody:
    """For a simulated base: nothing can be hurt, and nobody looks."""

    def agrees(self, movement: str) -> bool:
        say(f"Next: {movement}")
        return True

    def saw(self, question: str) -> bool | None:
        return None

    def metres(self, question: str) -> float | None:
        return None
