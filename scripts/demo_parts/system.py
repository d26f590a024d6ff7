"""A Rekindle of the demo's own: `rekindle up` in a folder of its own, and the command to talk to it."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "demo"
PROGRAM = ROOT / "target" / "debug" / "rekindle"


class DemoError(Exception):
    """The demo cannot go on. The text says why."""


class System:
    """Broker, scheduler, checkpoint-store and a trainer, from `with` to its end."""

    def __init__(self, roots: list[Path]) -> None:
        self.log = FOLDER / "up.log"
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
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
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
        ended = self.run("show", job, "--json")
        if ended.returncode != 0:
            raise DemoError(f"`rekindle show {job}` ended with {ended.returncode}: {ended.stderr.strip()}")
        return json.loads(ended.stdout)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end."""
        return subprocess.run(
            [PROGRAM, *arguments], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Runs one command beside the demo; what it says goes into a file of its name."""
        with open(FOLDER / f"{arguments[0]}.log", "w") as log:
            return subprocess.Popen([PROGRAM, *arguments], env=self.environment, cwd=ROOT, stdout=log, stderr=log)

    def stop(self) -> None:
        """Stops everything in order, and by force if that takes too long."""
        if self.up.poll() is None:
            self.up.terminate()
        try:
            self.up.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self.up.pid, signal.SIGKILL)
            self.up.wait()

    def last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
