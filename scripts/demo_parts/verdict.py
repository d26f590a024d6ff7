"""Whether the job kept what Rekindle promises, and what there is to look at."""

from pathlib import Path

# What the digits come to with the job file as it is, and a little less.
DIGITS_ACCURACY = 0.95
WHERE_TIME_GOES = {"running": "running", "backing_off": "backing off", "queued": "queued"}


def promises(job: dict, killed: dict, submit_code: int, checkpoints: Path, digits: bool) -> list[tuple[bool, str]]:
    """Each promise with whether it was kept. `killed` is the attempt as last seen before its trainer was killed."""
    attempts = job["attempts"]
    first, last = attempts[0], attempts[-1]
    saved = killed["progress"]["checkpoint_step"]
    resumed = last.get("resumed_from_step") or 0
    reported = first["progress"]["step"]
    accuracy = accuracy_of(job)
    kept = [
        (job["state"] == "succeeded", f"the job ended as succeeded (it is {job['state']})"),
        (submit_code == 0, f"`rekindle submit --wait` ended with 0 (it ended with {submit_code})"),
        (len(attempts) == 2, f"it took two attempts (it took {len(attempts)})"),
        (failure_class(first) == "lost", f"the first one counts as lost (it is {failure_class(first)})"),
        (saved <= resumed, f"the second one went on from a checkpoint of step {saved} or later (from {resumed})"),
        (
            job["ledger"]["steps_repeated"] == max(0, reported - resumed),
            f"only the steps after that checkpoint were done twice ({job['ledger']['steps_repeated']})",
        ),
        (
            last["progress"]["step"] == last["progress"].get("steps_total"),
            f"every step was done ({last['progress']['step']} of {last['progress'].get('steps_total')})",
        ),
    ]
    if digits:
        kept.append((DIGITS_ACCURACY <= accuracy, f"the accuracy is at least {DIGITS_ACCURACY:.0%} ({accuracy:.1%})"))
    kept += [(path.is_file(), f"{path.name} is there") for path in artifacts(job, checkpoints)]
    return kept


def summary(job: dict, checkpoints: Path, final: Path | None) -> list[tuple[str, str]]:
    """Names and values for people."""
    ledger = job["ledger"]
    rows = [(f"attempt {attempt['attempt']}", describe(attempt)) for attempt in job["attempts"]]
    rows += [
        ("steps done twice", f"{ledger['steps_repeated']}"),
        ("accuracy", f"{accuracy_of(job):.2%} of the images held out"),
        ("time", ", ".join(f"{ledger[key]:.1f} s {words}" for key, words in WHERE_TIME_GOES.items())),
        ("cost", f"${ledger['usd']:.4f} at the prices in rekindle.toml"),
    ]
    if final is not None:
        rows.append(("last checkpoint", str(final)))
    rows += [(path.name, str(path)) for path in artifacts(job, checkpoints)]
    return rows


def describe(attempt: dict) -> str:
    seconds = (attempt["ended_at"] - attempt["leased_at"]) / 1000 if attempt.get("ended_at") else 0.0
    steps = f"steps {attempt.get('resumed_from_step') or 0} to {attempt['progress']['step']}"
    failure = attempt.get("failure")
    end = f"{failure['class']}: {failure['message']}" if failure else "succeeded"
    return f"{attempt['worker']} ({attempt['gpu']}), {steps} in {seconds:.1f} s, ${attempt['usd']:.4f}; {end}"


def failure_class(attempt: dict) -> str:
    return attempt["failure"]["class"] if attempt.get("failure") else "a success"


def accuracy_of(job: dict) -> float:
    return (job.get("result") or {}).get("metrics", {}).get("val_accuracy", 0.0)


def artifacts(job: dict, checkpoints: Path) -> list[Path]:
    """The models and pictures that the run left, as files."""
    return [checkpoints / artifact["key"] for artifact in (job.get("result") or {}).get("artifacts", [])]
