#!/usr/bin/env python3
"""Trains on a real broker, kills the trainer in the middle, and shows how the job gets to its end all the same.

Everything that is printed is what the system says of itself. The exit code is 0 only if every promise was kept.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from demo_parts.story import Story
from demo_parts.system import FOLDER, ROOT, DemoError, System
from demo_parts.verdict import promises, summary

JOB_FILE = ROOT / "demo" / "digits.toml"
# A name of its own for each run, so that nothing an earlier one left in the broker is taken for this one's.
JOB = f"demo-{int(time.time())}"
# Seconds. Digits take a minute or two on an idle machine; nobody knows how long somebody's own images take.
LIMIT = {True: 600, False: 3600}
ENDS = ("succeeded", "dead", "cancelled")
# How images of one's own are trained on, where the digits' job file does not suit them.
OWN = ["--param", "image_size=64", "--param", "stem=imagenet", "--param", "batch_size=32"]


def main() -> int:
    data = parse(sys.argv[1:]).data
    roots = [data.parent if data else ROOT / "data" / "datasets"]
    story = Story()
    story.say("starts a broker, a scheduler, a checkpoint store and a trainer")
    try:
        with System(roots) as system:
            return run(system, story, data)
    except DemoError as error:
        print(f"\nThe demo failed: {error}\nLogs are in {FOLDER}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, help="a folder with one folder of images a class, instead of the digits")
    return parser.parse_args(arguments)


def folder(text: str) -> Path:
    path = Path(text).resolve()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is not a folder")
    return path


def run(system: System, story: Story, data: Path | None) -> int:
    digits = data is None
    own = [] if digits else ["--data", str(data), *OWN]
    submit = system.start("submit", str(JOB_FILE), *own, "--id", JOB, "--wait")
    story.say(f"submitted {JOB_FILE.relative_to(ROOT)} as job {JOB}")
    deadline = time.monotonic() + LIMIT[digits]
    killed = follow_until_killed(system, story, submit, deadline)
    job = follow_to_the_end(system, story, deadline)
    code = wait_for(submit)
    print()
    for name, value in summary(job, system.checkpoints, last_checkpoint(system)):
        print(f"  {name:<18} {value}")
    print()
    kept = promises(job, killed, code, system.checkpoints, digits)
    for right, promise in kept:
        print(f"  {'ok  ' if right else 'FAIL'} {promise}")
    return 0 if all(right for right, _ in kept) else 1


def follow_until_killed(system: System, story: Story, submit: subprocess.Popen[str], deadline: float) -> dict:
    """Kills the trainer in mid-run, as a power cut would, and answers with the attempt as it was then."""
    while True:
        if submit.poll() not in (None, 0):
            raise DemoError(f"`rekindle submit` ended with {submit.returncode}:\n{submit_log()}")
        if known(system):
            job = look(system, story, deadline)
            if job["state"] in ENDS:
                raise DemoError(f"the job was {job['state']} before its trainer could be killed: {job.get('failure')}")
            attempt = job["attempts"][-1] if job["attempts"] else {"progress": {}}
            progress = attempt["progress"]
            # A step beyond the checkpoint, so that something is lost with the trainer.
            if 0 < progress.get("checkpoint_step", 0) < progress["step"]:
                break
        time.sleep(0.3)
    pid = next((worker["pid"] for worker in system.workers() if worker["worker"] == attempt["worker"]), None)
    if pid is None:
        raise DemoError(f"the scheduler does not know {attempt['worker']}, which holds the lease")
    os.kill(pid, signal.SIGKILL)
    story.say(f"KILLED the trainer {attempt['worker']} (process {pid}, SIGKILL) at step {progress['step']}")
    return attempt


def known(system: System) -> bool:
    """Whether the scheduler has the job yet."""
    return system.run("show", JOB, "--json").returncode == 0


def follow_to_the_end(system: System, story: Story, deadline: float) -> dict:
    while True:
        job = look(system, story, deadline)
        if job["state"] in ENDS:
            return job
        time.sleep(0.3)


def look(system: System, story: Story, deadline: float) -> dict:
    if time.monotonic() > deadline:
        raise DemoError("the job did not end in time")
    job = system.show(JOB)
    story.tell(job)
    return job


def wait_for(submit: subprocess.Popen[str]) -> int:
    try:
        return submit.wait(timeout=30)
    except subprocess.TimeoutExpired:
        submit.kill()
        raise DemoError("the job has ended, and `rekindle submit --wait` has not noticed within 30 s") from None


def last_checkpoint(system: System) -> Path | None:
    ended = system.run("checkpoints", JOB, "--json")
    if ended.returncode != 0:
        return None
    checkpoints = json.loads(ended.stdout)["checkpoints"]
    return system.checkpoints / checkpoints[0]["manifest"]["key"] if checkpoints else None


def submit_log() -> str:
    return (FOLDER / "submit.log").read_text(errors="replace").strip()


if __name__ == "__main__":
    sys.exit(main())
