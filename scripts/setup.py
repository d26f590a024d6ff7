#!/usr/bin/env python3
"""Brings this machine to where `make demo` and `make test` work.

Run it as often as you like: what is there already is left alone. It needs an ordinary user with sudo, or root, and
only for Debian packages that are missing; everything else goes into this folder.
"""

import argparse
import sys
from collections.abc import Callable

from setup_steps import cifar10, debian, digits, libtorch, python_packages, rust
from setup_steps.report import SetupError, say
from setup_steps.staging import exclusive

# In the order in which they are needed. Each answers whether it changed anything.
STEPS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "debian": lambda options: debian.install_missing(),
    "rust": lambda options: rust.check(),
    "libtorch": lambda options: libtorch.install(cuda=options.cuda or options.pytorch),
    "python": lambda options: python_packages.install("python", "for the Python examples"),
    "pytorch": lambda options: python_packages.install("pytorch", "for PyTorch"),
    "digits": lambda options: digits.unpack(),
    "cifar10": lambda options: cifar10.bring(),
}
# These only where they are asked for.
OPTIONAL = ("pytorch", "cifar10")


def main() -> int:
    options = parse(sys.argv[1:])
    steps = options.only or [name for name in STEPS if name not in OPTIONAL or getattr(options, name)]
    try:
        with exclusive():
            changed = [STEPS[name](options) for name in steps]
    except SetupError as error:
        print(f"\nset-up failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up stopped; run it again to go on", file=sys.stderr)
        return 130
    say("done" if any(changed) else "everything is in place")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuda", action="store_true", help="bring every CUDA library, for training on NVIDIA GPUs")
    parser.add_argument("--pytorch", action="store_true", help="bring what Python 3.11 needs to import PyTorch as well")
    parser.add_argument("--cifar10", action="store_true", help="bring CIFAR-10 as well, for the time to accuracy")
    parser.add_argument("--only", action="append", choices=STEPS, help="run this step alone; may be repeated")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
