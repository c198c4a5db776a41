"""A Ray cluster of two nodes on this machine: two node processes, a core each, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ENVIRONMENT = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
LIMITS = [
    "--num-cpus=1",
    "--num-gpus=0",
    f"--object-store-memory={80 * 2**20}",
    "--block",
]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def ray_start(log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A node process; it runs until it is ended."""
    program = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", program, "start", *LIMITS, *arguments],
            env=ENVIRONMENT,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """A node's processes: all of its session."""
    found = []
    for one in psutil.process_iter():
        try:
            if os.getsid(one.pid) == process.pid:
                found.append(one)
        except ProcessLookupError:
            continue
    return found


def kill(process: subprocess.Popen[bytes]) -> None:
    """A node goes as when its power does: all of Ray's processes, at once."""
    for one in family(process):
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a cluster, and its nodes: the head, to which launches connect, and another."""
    address, nodes = f"127.0.0.1:{free_port()}", list[subprocess.Popen[bytes]]()
    # Which node a launch on this machine connects to: both nodes write it, and the head's must stay, for it lives on.
    own, first = folder / "session_latest" / "node_ip_address.json", ""
    head = (
        "--head",
        "--node-ip-address=127.0.0.1",
        f"--port={address.split(':')[1]}",
        "--include-dashboard=false",
        f"--temp-dir={folder}",
    )
    try:
        for arguments in (head, (f"--address={address}", "--node-ip-address=127.0.0.2")):
            log = folder / f"node-{len(nodes)}.log"
            nodes.append(ray_start(log, *arguments))
            deadline = time.monotonic() + 120
            while "Ray runtime started" not in log.read_text():
                assert nodes[-1].poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            if own.is_file():  # not in every version of Ray
                first = first or own.read_text()
                own.write_text(first)
        yield address, nodes
    finally:
        for node in nodes:
            kill(node)
