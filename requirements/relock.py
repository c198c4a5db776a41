"""Makes the lock files anew: exact versions and hashes of everything that `make setup` installs.

    .venv/bin/python requirements/relock.py             keeps each locked version that still fits pyproject.toml
    .venv/bin/python requirements/relock.py --upgrade   takes the newest versions that fit

The resolver is uv; it is looked up in PATH, or at $UV. Written are

    build.txt   build back-ends, installed first: packages that come as source are built with exactly these
    cpu.txt     PyTorch's CPU build, tried next: taken where pip can find it and no GPU is about
    lock.txt    everything, build.txt included, without CUDA; PyTorch is its default build
    cuda.txt    the CUDA libraries that the default build loads; the CPU build needs none of them
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.markers import Marker

HERE = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# The published numbers were made with these; a change of one is a change of numbers.
PINS = ("torch==2.13.0", "torchvision==0.28.0", "timm==1.0.31")

# The CPU build is on no default index, so uv cannot look its hashes up. A machine that has the wheel names its
# folder or index to pip. It stands in a file of its own because pip prefers a link that tells its hash.
CPU_BUILD = {"torch==2.13.0+cpu": ["sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"]}
CUDA = re.compile(r"(nvidia|cuda)-|triton\b")
ENTRY = re.compile(r"(?P<pin>(?P<name>[a-z0-9-]+)==[^\s;]+)(?: ; (?P<marker>.+?))? \\")

Lock = dict[str, list[str]]  # "name==version ; marker" -> "sha256:..." of every file


def compile_lock(wanted: list[str], known: list[str], *options: str) -> Lock:
    """Resolves ``wanted``, staying with the pins of ``known`` where they fit."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        sys.exit("relock: uv is not in PATH; expected the uv resolver. Install it, or set UV=/path/to/uv.")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.txt"), Path(folder, "out.txt")
        source.write_text("\n".join(wanted))
        target.write_text("\n".join(known))
        command = [uv, "pip", "compile", str(source), "--output-file", str(target), "--no-config", "--quiet"]
        fixed = ["--python-version", PYTHONS[0], "--generate-hashes", "--no-annotate", "--no-header"]
        subprocess.run([*command, *fixed, "--no-emit-index-url", *options], check=True)
        return parse(target.read_text())


def parse(text: str) -> Lock:
    """Reads uv's output, dropping what never applies on Linux and markers that always hold there."""
    lock: Lock = {}
    hashes: list[str] = []
    for line in text.splitlines():
        if match := ENTRY.match(line):
            marker = Marker(match["marker"]) if match["marker"] else None
            holds = [marker is None or marker.evaluate(linux(python)) for python in PYTHONS]
            key = match["pin"] if all(holds) else f"{match['pin']} ; {marker}"
            hashes = lock.setdefault(key, []) if any(holds) else []
        else:
            hashes += re.findall(r"sha256:[0-9a-f]{64}", line)
    return lock


def linux(python: str) -> dict[str, str]:
    """The marker environment of CPython on Linux x86-64."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }


def render(title: str, lock: Lock) -> str:
    """The lock as a pip requirements file."""
    lines = [f"# {title}", "# Made by requirements/relock.py; do not edit."]
    for pin, hashes in sorted(lock.items()):
        lines.append(" \\\n    ".join([pin, *(f"--hash={each}" for each in sorted(hashes))]))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Resolves, splits and writes the four files."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["project"]["optional-dependencies"]["dev"]
    backends = [*project["build-system"]["requires"], "editables", "setuptools"]

    files = [HERE / f"{name}.txt" for name in ("lock", "cuda")]
    known = [pin for file in files if file.exists() for pin in parse(file.read_text())]
    if "--upgrade" in sys.argv[1:] or not known:
        # Resolve for the oldest Python first: one version of each package then serves every Python.
        known = list(compile_lock([*wanted, *backends, *PINS], [], "--python-platform", "x86_64-manylinux_2_28"))
    lock = compile_lock([*wanted, *backends, *PINS], known, "--universal")
    build = compile_lock(backends, list(lock), "--universal")

    cuda = {pin: hashes for pin, hashes in lock.items() if CUDA.match(pin)}
    rest = {pin: hashes for pin, hashes in lock.items() if pin not in cuda}
    for name, title, part in (
        ("build", "Build back-ends, installed first.", {pin: rest[pin] for pin in build}),
        ("cpu", "PyTorch's CPU build, CPython 3.11 on Linux x86-64: tried before lock.txt.", CPU_BUILD),
        ("lock", "Runtime, development tools and build back-ends, without CUDA.", rest),
        ("cuda", "What PyTorch's default build loads; the CPU build needs none of it.", cuda),
    ):
        (HERE / f"{name}.txt").write_text(render(title, part))
        print(f"requirements/{name}.txt: {len(part)} packages")


if __name__ == "__main__":
    main()
