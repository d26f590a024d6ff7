"""docker-compose.yml under a project name of its own, so that a system that runs here already is left alone."""

import json
import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "rekindle-check"


class Compose:
    """Commands on one project, with the variables that an operator would keep in .env."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.environment = os.environ | variables | {"DATASETS": str(ROOT / "data" / "datasets")}

    def run(self, *arguments: str) -> None:
        """Runs a command that must succeed, and shows what it says."""
        print(f"docker-check: docker-compose {' '.join(arguments)}", flush=True)
        subprocess.run(self.command(*arguments), env=self.environment, cwd=ROOT, check=True)

    def cli(self, *arguments: str) -> str:
        """What the `rekindle` command of the images prints."""
        command = self.command("run", "--rm", "-T", "cli", *arguments)
        ended = subprocess.run(command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        return ended.stdout

    def sample(self, folder: str, *arguments: str) -> None:
        """`rekindle sample` in the image that has what it takes; `folder` is its /out."""
        out = ["--user", str(os.getuid()), "--volume", f"{folder}:/out"]
        self.run("run", "--rm", "-T", *out, "dit-trainer", "rekindle", "sample", *arguments)

    def kill(self, worker: str) -> None:
        """Ends a trainer's process as a crash would. `docker kill` would count as the operator's wish, and stay."""
        # A worker is called after its container.
        container = worker.split("-")[0]
        inspected = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", container], capture_output=True, text=True, check=True
        )
        print(f"docker-check: kills the trainer {worker}", flush=True)
        os.kill(int(inspected.stdout), signal.SIGKILL)

    def not_healthy(self) -> list[str]:
        """The containers that are not, or not yet, what their health check wants."""
        containers = subprocess.run(
            self.command("ps", "--quiet"), env=self.environment, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        inspected = subprocess.run(["docker", "inspect", *containers], capture_output=True, text=True, check=True)
        return [
            f"{container['Name'].lstrip('/')} ({state['Status']}, {state.get('Health', {}).get('Status', 'no check')})"
            for container in json.loads(inspected.stdout)
            if (state := container["State"]).get("Health", {}).get("Status") != "healthy"
        ]

    def show_logs(self) -> None:
        """The last lines of every service."""
        subprocess.run(self.command("logs", "--no-color", "--tail", "40"), env=self.environment, cwd=ROOT, check=False)

    def down(self) -> None:
        """Removes containers, networks and volumes. Images stay, so that the next run is quick."""
        subprocess.run(
            self.command("down", "--volumes", "--remove-orphans"),
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            check=False,
        )

    def command(self, *arguments: str) -> list[str]:
        return ["docker-compose", "--project-name", PROJECT, *arguments]
