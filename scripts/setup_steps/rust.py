"""Cargo, in the version that rust-toolchain.toml asks for."""

import re
import shutil
import subprocess

from .report import SetupError
from .staging import ROOT

INSTALL = "Install it with rustup (from https://rustup.rs, or apt-get install rustup), then run this again."


def check() -> bool:
    """Looks, and changes nothing: which Rust a machine has is its owner's business."""
    wanted = re.search(r'channel = "([\d.]+)"', (ROOT / "rust-toolchain.toml").read_text())
    if wanted is None:
        raise SetupError("rust-toolchain.toml names no version; restore it from git.")
    wanted = wanted.group(1)
    if not shutil.which("cargo"):
        raise SetupError(f"there is no cargo on the PATH; Rust {wanted} is needed. {INSTALL}")
    # Run in this folder, rustup's cargo brings the version that is pinned, if it may.
    asked = subprocess.run(["cargo", "--version"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise SetupError(
            f"cargo does not run here:\n{asked.stderr.strip()}\n"
            f"With rustup and a network, this brings what is needed: rustup toolchain install {wanted}"
        )
    found = re.search(r"\d+\.\d+\.\d+", asked.stdout)
    if found is None or numbers(found.group()) < numbers(wanted):
        raise SetupError(f"Rust {wanted} or newer is needed; this is {asked.stdout.strip()!r}. {INSTALL}")
    return False


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
