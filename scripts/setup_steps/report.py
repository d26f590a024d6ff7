"""What set-up says, and how it fails."""


class SetupError(Exception):
    """Set-up cannot go on. The text says what is wrong and what to do about it."""


def say(line: str) -> None:
    """One line of progress."""
    print(f"set-up: {line}", flush=True)
