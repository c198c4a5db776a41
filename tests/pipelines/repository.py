"""A copy of the repository in a temporary folder, where stages can run for real."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "DVC_NO_ANALYTICS": "1",
    "PYTHONPATH": "",
}


def run(*command: str, cwd: Path, code: int | None = 0) -> str:
    """Runs a command; returns what it printed on both streams, after its exit code was compared."""
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=600)
    output = done.stdout + done.stderr
    assert code is None or done.returncode == code, f"{command} ended with {done.returncode}:\n{output[-4000:]}"
    return output


def edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text()
    changed, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
    assert count, f"{pattern!r} is not in {path}"
    path.write_text(changed)


def copy_repository(target: Path) -> Path:
    """The tracked files as they are on disk, as a new repository: what a fresh clone of this state would be."""
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    for command in (["init", "-q"], ["add", "-A"]):
        run("git", *command, cwd=target)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    run("git", *identity, "commit", "-qm", "test: copy", cwd=target)
    return target
