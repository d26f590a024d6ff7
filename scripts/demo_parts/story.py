"""Tells what happens to a job while it happens, a line at a time."""

import time

PROGRESS_EVERY = 4.0


class Story:
    """Compares each view of a job with the one before and says what is new; times count from `started`."""

    def __init__(self, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self.told: set[tuple] = set()
        self.progress_told = 0.0

    def say(self, line: str) -> None:
        print(f"[{time.monotonic() - self.started:6.1f} s] {line}", flush=True)

    def once(self, key: tuple, line: str) -> None:
        if key not in self.told:
            self.told.add(key)
            self.say(line)

    def tell(self, job: dict) -> None:
        """Says what is new in `job`."""
        for attempt in job["attempts"]:
            self.tell_attempt(attempt)
        if job["state"] in ("queued", "offered") and job.get("waiting_for"):
            self.once(("waiting", job["waiting_for"]), f"the job waits: {job['waiting_for']}")
        if job["state"] in ("succeeded", "dead", "cancelled"):
            self.once(("end",), f"the job has ended: {job['state']}")

    def tell_attempt(self, attempt: dict) -> None:
        number = attempt["attempt"]
        progress = attempt["progress"]
        self.once((number, "leased"), f"attempt {number} is leased to {attempt['worker']} ({attempt['gpu']})")
        resumed = attempt.get("resumed_from_step")
        if resumed is not None:
            where = f"goes on from step {resumed}" if resumed else "starts at the beginning"
            self.once((number, "started"), f"attempt {number} {where}")
        checkpoint = progress.get("checkpoint_step")
        if checkpoint and checkpoint != resumed:
            self.once((number, "checkpoint", checkpoint), f"attempt {number} has a checkpoint of step {checkpoint}")
        if attempt.get("ended_at") is None:
            self.tell_progress(number, progress)
        elif failure := attempt.get("failure"):
            wait = f"; the next attempt waits {attempt['backoff']:.1f} s" if attempt.get("backoff") is not None else ""
            self.once((number, "ended"), f"attempt {number} is {failure['class']}: {failure['message']}{wait}")

    def tell_progress(self, number: int, progress: dict) -> None:
        if not progress.get("steps_total") or time.monotonic() - self.progress_told < PROGRESS_EVERY:
            return
        self.progress_told = time.monotonic()
        loss = f", loss {progress['loss']:.3f}" if progress.get("loss") is not None else ""
        rate = f", {progress['steps_per_second']:.1f} steps/s" if progress.get("steps_per_second") else ""
        self.say(f"attempt {number} is at step {progress['step']} of {progress['steps_total']}{loss}{rate}")
