"""The demo's judgement: it must fail whenever a promise was broken."""

import copy
import tempfile
import unittest
from pathlib import Path

from demo_parts.verdict import promises, summary

KILLED = {"attempt": 1, "progress": {"step": 52, "checkpoint_step": 40}}
LOST = {"class": "lost", "message": "its worker came back as another process"}
JOB = {
    "job_id": "demo",
    "state": "succeeded",
    "attempts": [
        {
            "attempt": 1,
            "worker": "host-0",
            "gpu": "cpu",
            "leased_at": 1000,
            "ended_at": 11000,
            "resumed_from_step": 0,
            "progress": {"step": 53, "steps_total": 120, "checkpoint_step": 40},
            "failure": LOST,
            "charged_to": "losses",
            "backoff": 2.0,
            "usd": 0.0001,
        },
        {
            "attempt": 2,
            "worker": "host-0",
            "gpu": "cpu",
            "leased_at": 13000,
            "ended_at": 30000,
            "resumed_from_step": 40,
            "progress": {"step": 120, "steps_total": 120, "checkpoint_step": 120},
            "usd": 0.0002,
        },
    ],
    "ledger": {"queued": 0.1, "backing_off": 2.0, "running": 27.0, "usd": 0.0003, "losses": 1, "steps_repeated": 13},
    "result": {
        "metrics": {"val_accuracy": 0.98},
        "artifacts": [{"name": "curves.png", "key": "jobs/demo/artifacts/curves.png", "bytes": 3}],
    },
}


class Promises(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.checkpoints = Path(folder.name)
        self.picture = self.checkpoints / "jobs/demo/artifacts/curves.png"
        self.picture.parent.mkdir(parents=True)
        self.picture.write_bytes(b"png")

    def broken(self, job: dict, submit_code: int = 0, digits: bool = True) -> list[str]:
        judged = promises(job, KILLED, submit_code, self.checkpoints, digits)
        return [promise for kept, promise in judged if not kept]

    def changed(self, *path: str | int, to: object) -> dict:
        job = copy.deepcopy(JOB)
        place = job
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to
        return job

    def test_a_job_that_went_well_keeps_every_promise(self) -> None:
        self.assertEqual(self.broken(JOB), [])

    def test_each_broken_promise_is_named(self) -> None:
        for words, job in [
            ("ended as succeeded", self.changed("state", to="dead")),
            ("two attempts", self.changed("attempts", to=JOB["attempts"][:1])),
            ("counts as lost", self.changed("attempts", 0, "failure", "class", to="transient")),
            ("went on from a checkpoint", self.changed("attempts", 1, "resumed_from_step", to=0)),
            ("were done twice", self.changed("ledger", "steps_repeated", to=14)),
            ("every step was done", self.changed("attempts", 1, "progress", "step", to=119)),
            ("accuracy is at least", self.changed("result", "metrics", "val_accuracy", to=0.5)),
        ]:
            with self.subTest(words):
                self.assertTrue(any(words in promise for promise in self.broken(job)), self.broken(job))

    def test_the_command_that_waited_must_have_succeeded(self) -> None:
        self.assertEqual(len(self.broken(JOB, submit_code=4)), 1)

    def test_a_picture_that_is_not_there_is_missed(self) -> None:
        self.picture.unlink()
        self.assertEqual(self.broken(JOB), ["curves.png is there"])

    def test_nobody_knows_the_accuracy_of_other_images(self) -> None:
        self.assertEqual(self.broken(self.changed("result", "metrics", "val_accuracy", to=0.5), digits=False), [])

    def test_the_summary_says_what_happened_and_where_things_are(self) -> None:
        rows = dict(summary(JOB, self.checkpoints, None))
        self.assertIn("steps 0 to 53 in 10.0 s", rows["attempt 1"])
        self.assertIn("lost: its worker came back", rows["attempt 1"])
        self.assertTrue(rows["attempt 2"].endswith("succeeded"))
        self.assertEqual(rows["steps done twice"], "13")
        self.assertEqual(rows["curves.png"], str(self.picture))


if __name__ == "__main__":
    unittest.main()
