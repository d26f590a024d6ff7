"""The judgement of drawn digits: what is drawn is held out, and too few right ones are too few."""

import tempfile
import unittest
from pathlib import Path

from demo_parts.drawn import EACH, assemble, promises, summary
from demo_parts.system import DemoError

READING = {
    "submission": {"params": {"epochs": 6}},
    "result": {"metrics": {"val_accuracy": 0.9, "best_val_accuracy": 0.99, "epochs": 6.0}, "artifacts": []},
}


def reading(**metrics: float) -> dict:
    result = READING["result"]
    return READING | {"result": result | {"metrics": result["metrics"] | metrics}}


class Exam(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.real, self.drawn, self.exam = (self.folder / name for name in ("real", "drawn", "exam"))
        for digit in "01":
            fill(self.real / digit, 7)
            fill(self.drawn / digit, EACH)
        (self.real / "SOURCE.md").write_text("where they come from")

    def test_the_classifier_learns_from_real_digits_and_is_asked_about_drawn_ones(self) -> None:
        self.assertEqual(assemble(self.real, self.drawn, self.exam), self.exam)
        counts = {
            str(folder.relative_to(self.exam)): len(list(folder.glob("*.png"))) for folder in self.exam.glob("*/*")
        }
        self.assertEqual(counts, {"train/0": 7, "train/1": 7, "val/0": EACH, "val/1": EACH})

    def test_a_digit_that_was_not_drawn_is_missed(self) -> None:
        (self.drawn / "1" / "0.png").unlink()
        with self.assertRaisesRegex(DemoError, f"{EACH} images of 1 .* there are {EACH - 1}"):
            assemble(self.real, self.drawn, self.exam)

    def test_without_digits_it_says_how_to_get_them(self) -> None:
        with self.assertRaisesRegex(DemoError, "run `make setup`"):
            assemble(self.exam_without_digits(), self.drawn, self.exam)

    def exam_without_digits(self) -> Path:
        empty = self.folder / "empty"
        empty.mkdir()
        return empty


class Share(unittest.TestCase):
    def broken(self, job: dict) -> list[str]:
        return [promise for kept, promise in promises(job) if not kept]

    def test_nine_of_ten_are_enough(self) -> None:
        self.assertEqual(self.broken(READING), [])

    def test_the_last_epoch_counts_not_the_best(self) -> None:
        self.assertEqual(
            self.broken(reading(val_accuracy=0.898)),
            ["it takes at least 90% of what was drawn for what was asked for (89.8%)"],
        )

    def test_training_that_ended_early_is_no_measure(self) -> None:
        self.assertEqual(
            self.broken(reading(epochs=3.0)), ["the classifier was trained for all of its epochs (3 of 6)"]
        )

    def test_the_summary_says_where_the_pictures_are(self) -> None:
        grid = {"name": "samples.png", "key": "jobs/a/artifacts/samples.png", "bytes": 3}
        drawing = {"result": {"metrics": {"val_loss": 0.25}, "artifacts": [grid]}}
        rows = dict(summary(drawing, READING, Path("/checkpoints"), Path("/drawn")))
        self.assertEqual(rows["samples.png"], "/checkpoints/jobs/a/artifacts/samples.png")
        self.assertEqual(rows["each as a file"], "/drawn")
        self.assertTrue(rows["taken for right"].startswith("90.0%"))


def fill(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(b"png")


if __name__ == "__main__":
    unittest.main()
