#!/usr/bin/env python3
"""Proves the Dockerfile and docker-compose.yml as they stand, without a registry to pull from.

The images that they build on are made here, by debootstrap and from this machine's own Rust, and handed in through
the build arguments that everyone may use. Then the whole system is brought up with two trainers of classifiers and one of
diffusion transformers. Two jobs are submitted through the broker, and both must succeed, on both trainers; a third one
leaves a checkpoint, from which an image is generated. Everything is taken down at the end.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compose_check import base_images
from compose_check.compose import Compose

# Seconds; a busy machine takes its time.
LIMIT = 600
PNG = b"\x89PNG\r\n\x1a\n"
# A short one: the digits at their own size.
JOB = ["--workload", "classifier", "--data", "digits"]
JOB += ["--param", "stem=small", "--param", "image_size=8", "--param", "epochs=3"]
# A few steps: what is drawn is not looked at.
DIT_JOB = ["--workload", "dit", "--data", "digits", "--gpu", "cpu", "--param", "model=tiny", "--param", "image_size=8"]
DIT_JOB += ["--param", "flip=false", "--param", "steps=20", "--param", "batch_size=16", "--param", "solver_steps=2"]


class CheckError(Exception):
    """Something is not as it must be; the text says what."""


def main() -> int:
    try:
        need_tools()
        images = base_images.prepare()
        compose = Compose(images | settings())
        try:
            check(compose)
        except (CheckError, subprocess.CalledProcessError):
            compose.show_logs()
            raise
        finally:
            compose.down()
    except (CheckError, subprocess.CalledProcessError) as error:
        print(f"docker-check failed: {error}", file=sys.stderr)
        return 1
    print("docker-check: the images build, jobs ran on three trainers, one of which was killed, and an image was drawn")
    return 0


def need_tools() -> None:
    if os.geteuid() != 0:
        raise CheckError("debootstrap needs root; run it as root")
    for tool in ("docker", "docker-compose", "debootstrap"):
        if not shutil.which(tool):
            raise CheckError(f"there is no {tool}; run: apt-get install docker.io docker-compose debootstrap")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
        raise CheckError("Docker does not answer; is its service running?")


def settings() -> dict[str, str]:
    """What an operator would write into .env. Port 0 is any free one."""
    return {
        "RABBITMQ_PASSWORD": secrets.token_hex(16),
        "REKINDLE_VERSION": "check",
        "BUILD_PROFILE": "dev",
        "AMQP_PORT": "0",
        "MANAGEMENT_PORT": "0",
        "COMPOSE_PROFILES": "dit",
    }


def check(compose: Compose) -> None:
    compose.run("build")
    compose.run("up", "--detach", "--scale", "classifier-trainer=2")
    wait_for_health(compose)
    # Both are submitted before either can end, so that two trainers have something to do.
    for job in ("check-1", "check-2"):
        compose.cli("submit", *JOB, "--id", job)
    running = wait_for_state(compose, "check-1", ("running",))
    compose.kill(running["attempts"][0]["worker"])
    ended = [wait_for_state(compose, job, ("succeeded", "dead", "cancelled")) for job in ("check-1", "check-2")]
    for job in ended:
        if job["state"] != "succeeded":
            raise CheckError(f"{job['job_id']} ended as {job['state']}: {job.get('failure')}")
    if [attempt.get("failure", {}).get("class") for attempt in ended[0]["attempts"]] != ["lost", None]:
        raise CheckError(f"check-1 should have been lost once and then succeeded: {ended[0]['attempts']}")
    workers = {attempt["worker"] for job in ended for attempt in job["attempts"]}
    if len(workers) != 2:
        raise CheckError(f"two trainers run, and the jobs ran on {sorted(workers)}")
    draw(compose)


def draw(compose: Compose) -> None:
    """Trains what draws, and has it draw, as docs/docker.md says."""
    compose.cli("submit", *DIT_JOB, "--id", "check-3")
    ended = wait_for_state(compose, "check-3", ("succeeded", "dead", "cancelled"))
    if ended["state"] != "succeeded":
        raise CheckError(f"check-3 ended as {ended['state']}: {ended.get('failure')}")
    with tempfile.TemporaryDirectory() as folder:
        compose.sample(folder, "check-3", "-n", "1", "-o", "/out/samples.png")
        if not (Path(folder) / "samples.png").read_bytes().startswith(PNG):
            raise CheckError("what `rekindle sample` wrote is no PNG")


def wait_for_health(compose: Compose) -> None:
    deadline = time.monotonic() + LIMIT
    while unwell := compose.not_healthy():
        if deadline < time.monotonic():
            raise CheckError(f"after {LIMIT} s these are not healthy: {', '.join(unwell)}")
        time.sleep(2)


def wait_for_state(compose: Compose, job: str, states: tuple[str, ...]) -> dict:
    deadline = time.monotonic() + LIMIT
    while True:
        view = json.loads(compose.cli("show", job, "--json"))
        if view["state"] in states:
            return view
        if deadline < time.monotonic():
            raise CheckError(f"after {LIMIT} s {job} is still {view['state']}")
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
