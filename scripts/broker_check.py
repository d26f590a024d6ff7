#!/usr/bin/env python3
"""Runs the tests against the RabbitMQ of another Debian release, which need not be this machine's.

Debian's stable releases carry RabbitMQ 3.10 and 4.0, its unstable one what is newest. The release is laid into a folder
by debootstrap, and its broker runs there, in mount and process namespaces of its own, on free ports of this machine
alone. The tests that start, kill and freeze a broker of their own run on the installed one and are not what is shown
here.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
ROOTS = Path("/var/tmp/rekindle-rabbitmq")
# The crates that speak with a broker.
CRATES = ("broker", "worker", "scheduler", "checkpoint-store", "cli", "system-tests")
# Seconds; a busy machine takes its time.
LIMIT = 120
# Inside the folder.
HOME = "/srv/broker"


class CheckError(Exception):
    """Something is not as it must be; the text says what."""


def main() -> int:
    arguments = parser().parse_args()
    try:
        need_tools()
        root = debian(arguments.suite)
        with broker(root) as environment:
            packages = [word for crate in CRATES for word in ("--package", crate)]
            command = ["cargo", "nextest", "run", *packages, *arguments.nextest]
            return subprocess.run(command, env=os.environ | environment, check=False).returncode
    except (CheckError, subprocess.CalledProcessError) as error:
        print(f"broker-check failed: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--suite", default="sid", help="Debian's release: bookworm, trixie, sid (default: %(default)s)")
    result.add_argument("nextest", nargs="*", help="what else cargo nextest is told, after --")
    return result


def need_tools() -> None:
    if os.geteuid() != 0:
        raise CheckError("debootstrap needs root; run it as root")
    for tool, package in (("debootstrap", "debootstrap"), ("unshare", "util-linux")):
        if not shutil.which(tool):
            raise CheckError(f"there is no {tool}; run: apt-get install {package}")


def debian(suite: str) -> Path:
    """The folder with the release and its RabbitMQ, made if it is not there yet."""
    root = ROOTS / suite
    if root.is_dir():
        return root
    say(f"lays Debian {suite} with RabbitMQ into {root}")
    unfinished = ROOTS / f"{suite}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    ROOTS.mkdir(parents=True, exist_ok=True)
    command = ["debootstrap", "--variant=minbase", "--include=rabbitmq-server", suite, str(unfinished), MIRROR]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode != 0:
        raise CheckError(f"debootstrap ended with {ended.returncode}:\n{ended.stdout[-2000:]}")
    (unfinished / "etc/hosts").write_text("127.0.0.1 localhost\n")
    return unfinished.rename(root)


@contextmanager
def broker(root: Path):
    """A broker that runs as long as the block; what the tests have to be told of it."""
    amqp, management, distribution, epmd = free_ports(4)
    home = root / HOME.lstrip("/")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n")
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\n"
        "management.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {management}\n"
        "collect_statistics_interval = 1000\n"
        "disk_free_limit.absolute = 50MB\n"
    )
    variables = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": HOME,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_NODENAME": "check@localhost",
        "RABBITMQ_CONFIG_FILE": f"{HOME}/rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{HOME}/enabled_plugins",
        "RABBITMQ_MNESIA_BASE": f"{HOME}/data",
        "RABBITMQ_LOG_BASE": f"{HOME}/log",
        "RABBITMQ_LOGS": "-",
    }
    # The namespaces end with their first process, and take every process and mount with them.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"]
    command += ["chroot", str(root), "/usr/lib/rabbitmq/bin/rabbitmq-server"]
    log = ROOTS / f"{root.name}.log"
    with open(log, "w") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        version = wait_for_version(process, f"http://127.0.0.1:{management}", log)
        say(f"RabbitMQ {version} runs; it logs into {log}")
        yield {
            "REKINDLE_TEST_AMQP_URL": f"amqp://guest:guest@127.0.0.1:{amqp}/%2f",
            "REKINDLE_TEST_MANAGEMENT_URL": f"http://guest:guest@127.0.0.1:{management}",
        }
    finally:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """Below the range for outgoing connections, where a client could be given the port of the broker it looks for."""
    found = []
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise CheckError("there are no free ports between 20000 and 32000")


def wait_for_version(process: subprocess.Popen, url: str, log: Path) -> str:
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, url, "guest", "guest")
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CheckError(f"RabbitMQ ended with {process.returncode}:\n{log.read_text()[-2000:]}")
        try:
            with opener.open(f"{url}/api/version", timeout=5) as answer:
                return answer.read().decode().strip().strip('"')
        except OSError:
            time.sleep(0.5)
    raise CheckError(f"RabbitMQ does not answer after {LIMIT} s:\n{log.read_text()[-2000:]}")


def say(line: str) -> None:
    print(f"broker-check: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
