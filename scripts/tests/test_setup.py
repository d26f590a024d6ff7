"""Set-up: folders that are whole or not there, messages that help, images that are images."""

import io
import struct
import tarfile
import tempfile
import unittest
import zlib
from pathlib import Path

from setup_steps import cifar10, wheels
from setup_steps.png import png
from setup_steps.report import SetupError
from setup_steps.staging import need_space, staged


class Staging(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.final = Path(folder.name) / "final"

    def test_a_folder_takes_its_place_when_it_is_whole(self) -> None:
        self.final.mkdir()
        (self.final / "old").touch()
        with staged(self.final) as folder:
            (folder / "new").touch()
            self.assertTrue((self.final / "old").exists())
        self.assertEqual([path.name for path in self.final.iterdir()], ["new"])
        self.assertEqual(list(self.final.parent.iterdir()), [self.final])

    def test_a_failure_leaves_what_was_there(self) -> None:
        self.final.mkdir()
        (self.final / "old").touch()
        with self.assertRaises(SetupError), staged(self.final) as folder:
            (folder / "new").touch()
            raise SetupError("the network went away")
        self.assertEqual([path.name for path in self.final.iterdir()], ["old"])
        self.assertEqual(list(self.final.parent.iterdir()), [self.final])

    def test_what_a_killed_run_left_does_not_end_up_in_the_folder(self) -> None:
        leftover = self.final.parent / ".new-final"
        leftover.mkdir()
        (leftover / "half").touch()
        with staged(self.final) as folder:
            (folder / "whole").touch()
        self.assertEqual([path.name for path in self.final.iterdir()], ["whole"])

    def test_a_full_disk_is_named_with_what_is_needed(self) -> None:
        with self.assertRaisesRegex(SetupError, r"libtorch needs 999999999 GiB of free disk space in .*; there are \d"):
            need_space(self.final.parent, 999999999, "libtorch")


class Wheels(unittest.TestCase):
    def test_every_pin_has_a_version_and_a_hash(self) -> None:
        for pins in wheels.PINS.glob("*.txt"):
            for line in pins.read_text().splitlines():
                self.assertRegex(line, r"^(#.*|[\w-]+==[\w.]+ --hash=sha256:[0-9a-f]{64})$", pins.name)

    def test_both_flavours_of_libtorch_hold_the_same_version(self) -> None:
        flavours = [dict(wheels.pinned(pins)) for pins in ("libtorch", "libtorch-cuda")]
        self.assertEqual(flavours[0].items() - flavours[1].items(), set())

    def test_each_failure_of_pip_says_what_to_do(self) -> None:
        offline = "WARNING: Retrying (Retry(total=0\nERROR: No matching distribution found for torch==2.11.0"
        self.assertIn("Is there a network?", wheels.explain(offline))
        self.assertNotIn("Retrying", wheels.explain(offline))
        self.assertIn("free some space", wheels.explain("OSError: [Errno 28] No space left on device"))
        self.assertIn("mirror", wheels.explain("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE FILE"))


class Images(unittest.TestCase):
    def test_an_image_holds_its_pixels(self) -> None:
        image = png(bytes([0, 128, 255, 7, 8, 9]), 3, channels=1)
        self.assertEqual(image[:8], b"\x89PNG\r\n\x1a\n")
        chunks = dict(read_chunks(image[8:]))
        self.assertEqual(struct.unpack(">IIBBBBB", chunks[b"IHDR"]), (3, 2, 8, 0, 0, 0, 0))
        self.assertEqual(zlib.decompress(chunks[b"IDAT"]), bytes([0, 0, 128, 255, 0, 7, 8, 9]))
        self.assertEqual(list(chunks)[-1], b"IEND")

    def test_photos_of_cifar_10_keep_their_colours_and_classes(self) -> None:
        planes = [bytes([value]) * cifar10.PLANE for value in (1, 2, 3)]
        files = {name: b"" for names in cifar10.PARTS.values() for name in names}
        files["data_batch_2.bin"] = b"\0" + bytes(cifar10.RECORD - 1) + b"\1" + b"".join(planes)
        files["batches.meta.txt"] = b"airplane\nautomobile\n\n"
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(f"{cifar10.INSIDE}/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        with tempfile.TemporaryDirectory() as name:
            cifar10.unpack(archive.getvalue(), Path(name))
            images = sorted(str(path.relative_to(name)) for path in Path(name).glob("*/*/*.png"))
            self.assertEqual(images, ["train/airplane/00000.png", "train/automobile/00001.png"])
            chunks = dict(read_chunks((Path(name) / images[1]).read_bytes()[8:]))
        self.assertEqual(struct.unpack(">IIBBBBB", chunks[b"IHDR"]), (32, 32, 8, 2, 0, 0, 0))
        self.assertEqual(zlib.decompress(chunks[b"IDAT"]), (b"\0" + bytes([1, 2, 3]) * 32) * 32)


def read_chunks(data: bytes):
    while data:
        (length,) = struct.unpack(">I", data[:4])
        body, (crc,) = data[4 : 8 + length], struct.unpack(">I", data[8 + length : 12 + length])
        assert zlib.crc32(body) == crc, "a chunk's checksum is wrong"
        yield body[:4], body[4:]
        data = data[12 + length :]


if __name__ == "__main__":
    unittest.main()
