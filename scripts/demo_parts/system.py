"""A Rekindle of the demo's own: `rekindle up` in a folder of its own, and the command to talk to it."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "demo"
# What `rekindle` ends with when nobody answers, and for how many seconds it is asked again.
UNREACHABLE = 5
PATIENCE = 60
PROGRAM = ROOT / "target" / "debug" / "rekindle"


class DemoError(Exception):
    """The demo cannot go on. The text says why."""


class System:
    """Broker, scheduler, checkpoint-store and a trainer, from `with` to its end."""

    def __init__(self, roots: list[Path]) -> None:
        self.log = FOLDER / "up.log"
        self.started: list[subprocess.Popen[str]] = []
        self.checkpoints = FOLDER / "checkpoints"
        # Settings that are meant for another system must not leak into this one.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("REKINDLE")}
        self.environment |= {
            "REKINDLE_CONFIG": str(ROOT / "rekindle.toml"),
            "REKINDLE__DATA__DIR": str(FOLDER),
            "REKINDLE__DATA__ROOTS": ":".join(str(root) for root in roots),
            "REKINDLE__SCHEDULER__DATABASE": str(FOLDER / "scheduler.db"),
            "REKINDLE__CHECKPOINTS__URL": str(self.checkpoints),
        }

    def __enter__(self) -> "System":
        self.lock = alone()
        remove_the_last_run()
        with open(self.log, "w") as log:
            # A session of its own: Ctrl-C reaches the demo, which stops the system in order.
            self.up = subprocess.Popen(
                [PROGRAM, "up"], env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self.wait_for_a_trainer()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_for_a_trainer(self) -> None:
        deadline = time.monotonic() + 90
        while not self.workers():
            if self.up.poll() is not None:
                raise DemoError(f"`rekindle up` ended with {self.up.returncode}:\n{self.last_lines()}")
            if deadline < time.monotonic():
                raise DemoError(f"no trainer has said hello within 90 s:\n{self.last_lines()}")
            time.sleep(0.5)

    def workers(self) -> list[dict]:
        """The trainers that the scheduler knows; none while it does not answer."""
        ended = self.run("workers", "--json")
        return json.loads(ended.stdout)["workers"] if ended.returncode == 0 else []

    def show(self, job: str) -> dict:
        """The job as the scheduler sees it."""
        return json.loads(self.ask("show", job, "--json"))

    def ask(self, *arguments: str) -> str:
        """What a command prints that must succeed. A machine that is very busy may take a while to answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            ended = self.run(*arguments)
            if ended.returncode == 0:
                return ended.stdout
            if ended.returncode != UNREACHABLE or deadline < time.monotonic():
                command = " ".join(arguments)
                raise DemoError(f"`rekindle {command}` ended with {ended.returncode}: {ended.stderr.strip()}")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end."""
        return subprocess.run(
            [PROGRAM, *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Runs one command beside the demo; what it says goes into a file of its name."""
        with open(FOLDER / f"{arguments[0]}.log", "w") as log:
            process = subprocess.Popen([PROGRAM, *arguments], env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        self.started.append(process)
        return process

    def stop(self) -> None:
        """Stops everything in order, and by force if that takes too long."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        if self.up.poll() is None:
            self.up.terminate()
        try:
            self.up.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self.up.pid, signal.SIGKILL)
            self.up.wait()

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def alone() -> TextIO:
    """A lock for as long as the file is open: two demos in one folder would be each other's ruin."""
    FOLDER.parent.mkdir(exist_ok=True)
    lock = open(FOLDER.parent / ".demo.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DemoError("another demo runs in this checkout; wait for its end") from None
    return lock


def remove_the_last_run() -> None:
    """All but the broker's folder: a node that was left running by a kill is taken over through what it wrote there."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.iterdir():
        if path.name != "broker":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
