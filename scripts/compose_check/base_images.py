"""Stand-ins for the public base images, made on this machine: Debian, Debian with Rust, Debian with RabbitMQ."""

import subprocess
import tempfile
from pathlib import Path

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
DEBIAN = f"rekindle-base/debian:{SUITE}"
RABBITMQ = f"rekindle-base/rabbitmq:{SUITE}"
# What this machine trusts, a proxy of its own included, its images trust.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

RABBITMQ_DOCKERFILE = f"""
FROM {DEBIAN}
RUN printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \\
    && apt-get update && apt-get install --yes --no-install-recommends rabbitmq-server
ENV PATH=/usr/lib/rabbitmq/bin:$PATH HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
USER rabbitmq
VOLUME /var/lib/rabbitmq
CMD ["rabbitmq-server"]
"""


def prepare() -> dict[str, str]:
    """Makes what is not there yet, and answers with the variables that docker-compose.yml takes them by."""
    rust = f"rekindle-base/rust:{rust_version()}"
    if not exists(DEBIAN):
        say(f"makes {DEBIAN} with debootstrap")
        import_debian()
    if not exists(rust):
        say(f"makes {rust} of Debian and this machine's Rust")
        add_rust(rust)
    if not exists(RABBITMQ):
        say(f"makes {RABBITMQ} of Debian's package")
        docker("build", "--quiet", "--tag", RABBITMQ, "-", text=RABBITMQ_DOCKERFILE)
    return {"BUILD_IMAGE": rust, "RUNTIME_IMAGE": DEBIAN, "RABBITMQ_IMAGE": RABBITMQ}


def import_debian() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root), MIRROR]
        log = Path(folder) / "log"
        with open(log, "w") as output:
            ended = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
        if ended.returncode != 0:
            print(log.read_text()[-2000:])
            ended.check_returncode()
        (root / "etc/ssl/certs/ca-certificates.crt").write_bytes(CERTIFICATES.read_bytes())
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(["docker", "import", "-", DEBIAN], stdin=tar.stdout, capture_output=True, check=True)


def add_rust(image: str) -> None:
    """Copies the toolchain without its documentation, which is most of it."""
    sysroot = output("rustc", "--print", "sysroot")
    container = docker("create", DEBIAN, "true")
    try:
        for part in ("bin", "lib"):
            with subprocess.Popen(["tar", "-C", sysroot, "-c", part], stdout=subprocess.PIPE) as tar:
                subprocess.run(["docker", "cp", "-", f"{container}:/usr/local"], stdin=tar.stdout, check=True)
        docker("commit", container, image)
    finally:
        docker("rm", container)


def rust_version() -> str:
    return output("rustc", "--version").split()[1]


def exists(image: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def docker(*arguments: str, text: str | None = None) -> str:
    return output("docker", *arguments, text=text)


def output(*command: str, text: str | None = None) -> str:
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def say(line: str) -> None:
    print(f"docker-check: {line}", flush=True)
