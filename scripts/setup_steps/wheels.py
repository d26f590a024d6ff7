"""Wheels from PyPI, at pinned versions and hashes, whatever Python this machine has."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .report import SetupError
from .staging import ROOT

PINS = ROOT / "scripts" / "pins"
# The wheels are taken apart for their libraries and data; the Python they are made for need not be installed.
TARGET = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"]
PLATFORMS = [f"manylinux_2_{glibc}_x86_64" for glibc in (28, 27, 25, 18, 17)]
PLATFORMS += [f"manylinux{year}_x86_64" for year in (2014, 2010, 1)]


def find_pip() -> tuple[str, ...] | None:
    """A pip that runs: this Python's own, or else the system's."""
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip")
    system = ("/usr/bin/python3", "-m", "pip")
    try:
        runs = subprocess.run([*system, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return None
    return system if runs else None


def install(pins: str, folder: Path) -> None:
    """Unpacks every wheel of a pin file into `folder`."""
    pip("install", pins, folder, "--target", str(folder), "--no-compile")


def download(pins: str, folder: Path) -> None:
    """Puts every wheel of a pin file into `folder`."""
    pip("download", pins, folder, "--dest", str(folder))


def installed(pins: str, folder: Path) -> bool:
    """Whether `folder` holds everything that a pin file names, by the records that pip leaves."""
    return all(
        (folder / f"{name.replace('-', '_')}-{version}.dist-info").is_dir() for name, version in pinned(pins)
    )


def pinned(pins: str) -> list[tuple[str, str]]:
    """The packages and versions of a pin file."""
    return re.findall(r"^([\w-]+)==([\w.]+)", (PINS / f"{pins}.txt").read_text(), re.MULTILINE)


def pip(verb: str, pins: str, folder: Path, *arguments: str) -> None:
    found = find_pip()
    if found is None:
        raise SetupError("there is no pip; run: apt-get install python3-pip")
    command = [*found, verb, *arguments, "--no-deps", "--require-hashes", "--only-binary=:all:", *TARGET]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--retries", "2", "--quiet"]
    command += ["--requirement", str(PINS / f"{pins}.txt")]
    # Large downloads belong on the disk that was checked for room, not in a /tmp that may be small.
    scratch = folder.parent / f".tmp-{folder.name}"
    scratch.mkdir(exist_ok=True)
    try:
        ended = subprocess.run(
            command,
            env=os.environ | {"TMPDIR": str(scratch), "PIP_ROOT_USER_ACTION": "ignore"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if ended.returncode != 0:
        wanted = ", ".join(f"{name} {version}" for name, version in pinned(pins))
        raise SetupError(f"pip could not get {wanted}:\n{explain(ended.stdout)}")


def explain(output: str) -> str:
    """The lines of pip's that matter, and what to do."""
    lines = [line for line in output.strip().splitlines() if "Retrying" not in line]
    text = "\n".join(lines[-8:])
    if "No space left" in output:
        return f"{text}\nThe disk is full: free some space, then run this again."
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in output:
        return f"{text}\nThe index gave a file that is not the published one: try again, or use another mirror."
    return (
        f"{text}\nIs there a network? Behind a mirror, set PIP_INDEX_URL. Without any, put the wheels named in "
        f"scripts/pins/ into a folder and set PIP_NO_INDEX=1 PIP_FIND_LINKS=that-folder."
    )
