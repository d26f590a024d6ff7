"""Debian's packages: a C++ compiler, an assembler, RabbitMQ and pip."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import wheels
from .report import SetupError, say

POLICY = Path("/usr/sbin/policy-rc.d")
# What would start RabbitMQ, or its port mapper, with the machine.
UNITS = ["rabbitmq-server.service", "epmd.service", "epmd.socket"]


def install_missing() -> bool:
    """Installs what is missing, and leaves RabbitMQ neither running nor starting at boot: Rekindle runs its own."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise SetupError(
            f"this is {platform.system()} on {platform.machine()}; Rekindle builds on x86_64 Linux "
            "(Debian 12 or 13, Ubuntu 22.04 or 24.04)."
        )
    missing = missing_packages()
    if not missing:
        return False
    if not shutil.which("apt-get"):
        raise SetupError(
            f"{', '.join(missing)} cannot be found, and there is no apt-get to install it. Install a C++ compiler, "
            "RabbitMQ 3.10 or newer and pip by this system's own means, then run this again."
        )
    as_root = privilege(missing)
    say(f"installs Debian's {', '.join(missing)}")
    with services_held(as_root):
        apt(as_root, "update", missing)
        apt(as_root, "install", missing)
    if "rabbitmq-server" in missing:
        keep_from_booting(as_root)
    if still := missing_packages():
        raise SetupError(f"after their installation, {', '.join(still)} still cannot be found.")
    return True


def missing_packages() -> list[str]:
    missing = []
    if not (shutil.which("cc") and shutil.which("c++")):
        missing.append("g++")
    # Debian keeps it in /usr/sbin, which is not on an ordinary user's PATH.
    if not (shutil.which("rabbitmq-server") or Path("/usr/sbin/rabbitmq-server").exists()):
        missing.append("rabbitmq-server")
    if wheels.find_pip() is None:
        missing.append("python3-pip")
    return missing


def privilege(packages: list[str]) -> list[str]:
    """What to put before a command that needs root."""
    if os.geteuid() == 0:
        return []
    by_hand = f"Ask somebody who is root to run: apt-get install {' '.join(packages)}"
    if not shutil.which("sudo"):
        raise SetupError(f"installing packages needs root, and there is no sudo. {by_hand}")
    without_asking = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    if not (without_asking or sys.stdin.isatty()):
        raise SetupError(f"installing packages needs root, and sudo cannot ask for a password here. {by_hand}")
    return ["sudo"]


@contextmanager
def services_held(as_root: list[str]) -> Iterator[None]:
    """Keeps packages from starting services while they are installed, by Debian's own means."""
    if POLICY.exists():
        yield
        return
    deny = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}"
    subprocess.run([*as_root, "sh", "-c", deny], check=True)
    try:
        yield
    finally:
        subprocess.run([*as_root, "rm", "-f", str(POLICY)], check=True)


def keep_from_booting(as_root: list[str]) -> None:
    """Takes out of the boot what the packages put there, with systemd or without."""
    for command in (["systemctl", "disable", "--quiet", *UNITS], ["update-rc.d", "rabbitmq-server", "disable"]):
        if shutil.which(command[0]):
            subprocess.run([*as_root, *command], stderr=subprocess.DEVNULL, check=False)


def apt(as_root: list[str], verb: str, packages: list[str]) -> None:
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    command += ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3", "-o", "Dpkg::Use-Pty=0"]
    command += [verb] if verb == "update" else [verb, "-y", "--no-install-recommends", *packages]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    # A repository of the user's own that is out of order must not keep ours from being used.
    if ended.returncode != 0 and verb == "install":
        raise SetupError(
            f"apt-get could not install {', '.join(packages)}:\n{ended.stdout.strip()}\n"
            "Is there a network? Are /etc/apt/sources.list and its folder in order? "
            f"Put that right, or install by hand: apt-get install {' '.join(packages)}"
        )
