"""Clients that are programs: found, run to their end, and mounted."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from server import poll

PROGRAM_SECONDS = 600


def tool(name: str) -> str:
    """Of the tests' own Python environment, or of the system."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: ./dev test-clients installs it"
    return found


def system_tool(name: str) -> str:
    """Of the system, also where the Python environment has one of that name."""
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    assert found, f"{name} is not installed: ./dev test-clients installs it"
    return found


def inherited(**environment) -> dict[str, str]:
    # Certificates of a proxy around the tests are none of these clients' business.
    kept = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    return {**kept, **environment}


def run(words, cwd=None, **environment) -> str:
    result = subprocess.run(
        [str(word) for word in words], env=inherited(**environment), cwd=cwd, capture_output=True,
        text=True, timeout=PROGRAM_SECONDS)
    assert result.returncode == 0, f"{words}: {result.stdout[-2000:]} {result.stderr[-2000:]}"
    return result.stdout


@contextmanager
def mounted(words, point: Path, log: Path, **environment):
    """A program in the foreground that serves a mount at this point; ended by unmounting it."""
    point.mkdir(exist_ok=True)
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [str(word) for word in words], env=inherited(**environment), stdout=out, stderr=out)

    def is_there() -> bool:
        assert process.poll() is None, f"{words} ended: {log.read_text()[-2000:]}"
        return os.path.ismount(point)

    try:
        poll(is_there, 60, f"{point} mounted", interval=0.1)
        yield point
    finally:
        if os.path.ismount(point):
            run([system_tool("umount"), point])
        elif process.poll() is None:
            process.kill()
        process.wait(timeout=60)
