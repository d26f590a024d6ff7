#!/usr/bin/env python3
"""Trains a diffusion transformer to draw digits, and has a classifier that knows real ones alone say what it drew.

Everything that is printed is what the system says of itself. The exit code is 0 only if the classifier takes enough of
what was drawn for the digit that was asked for.
"""

import sys
import time
from pathlib import Path

from demo_parts.drawn import EACH, assemble, promises, summary
from demo_parts.story import Story
from demo_parts.system import FOLDER, ROOT, DemoError, System

DIGITS = ROOT / "data" / "datasets" / "digits"
# A name of its own for each run, so that nothing an earlier one left in the broker is taken for this one's.
DRAWS = f"draws-{int(time.time())}"
READS = f"reads-{int(time.time())}"
DRAWN = FOLDER / "drawn"
# What the classifier is given lies below a root of its own.
EXAMS = FOLDER / "exams"
# Seconds, for each job; a busy machine takes its time.
LIMIT = 3600
ENDS = ("succeeded", "dead", "cancelled")


def main() -> int:
    story = Story()
    story.say("starts a broker, a scheduler, a checkpoint store and trainers")
    try:
        with System([DIGITS.parent, EXAMS]) as system:
            return run(system, story)
    except DemoError as error:
        print(f"\nThe demo failed: {error}\nLogs are in {FOLDER}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def run(system: System, story: Story) -> int:
    drawing = train(system, story, DRAWS, "demo/digits-dit.toml")
    system.ask("sample", DRAWS, "--checkpoint", "final", "--each", "-n", str(EACH), "--output", str(DRAWN))
    story.say(f"drew {EACH} of each digit from the final checkpoint")
    exam = assemble(DIGITS, DRAWN, EXAMS / "digits")
    # What was drawn is only held out. Nothing of it may decide when the classifier's training ends.
    reading = train(
        system, Story(story.started), READS, "demo/digits.toml", "--data", str(exam), "--param", "early_stop_patience=0"
    )
    print()
    for name, value in summary(drawing, reading, system.checkpoints, DRAWN):
        print(f"  {name:<18} {value}")
    print()
    kept = promises(reading)
    for right, promise in kept:
        print(f"  {'ok  ' if right else 'FAIL'} {promise}")
    return 0 if all(right for right, _ in kept) else 1


def train(system: System, story: Story, job: str, file: str, *changes: str) -> dict:
    """Submits a job, tells what becomes of it, and answers with it once it has succeeded."""
    system.ask("submit", file, "--id", job, *changes)
    story.say(f"submitted {file} as job {job}")
    deadline = time.monotonic() + LIMIT
    while True:
        view = system.show(job)
        story.tell(view)
        if view["state"] == "succeeded":
            return view
        if view["state"] in ENDS:
            raise DemoError(f"job {job} is {view['state']}: {view.get('failure')}")
        if deadline < time.monotonic():
            raise DemoError(f"job {job} did not end within {LIMIT} s")
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
