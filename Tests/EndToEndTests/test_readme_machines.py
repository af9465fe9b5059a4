"""README's three machines, in three namespaces, by the commands that README has, as written.

They are the fenced sh blocks behind the comments first, second and third. Each runs on a machine of
its own that sees its own /etc/vortex, /srv/vortex and home; the names of hosts below are in every
machine's /etc/hosts. `sudo` and `scp` are small programs of this test, since these machines have
neither users nor an SSH server.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import until
from machines import Machine, Network
from server import BINARY, ROOT

ORDER = ["first", "second", "third"]
# The machines' addresses and names, and what of README is written otherwise here; no more differs.
PREFIX = "10.0.0"
HOSTS = {1: "first", 2: "second", 3: "third"}
SUBSTITUTED: dict[str, str] = {}
# Directories that each machine has of its own: README's paths are not touched.
OWN_DIRECTORIES = ["/etc/vortex", "/srv/vortex", "/var/lib/vortex"]
DEFAULT_HTTP = "127.0.0.1:8080"


def steps() -> dict[str, str]:
    """README's blocks by their names; a missing one is not there."""
    text = (ROOT / "README.md").read_text()
    found = {}
    for name in ORDER:
        match = re.search(rf"<!-- {name} -->\s*```(?:sh|bash|console)\n(.*?)```", text, re.S)
        if match:
            found[name] = match[1]
            for written, here in SUBSTITUTED.items():
                found[name] = found[name].replace(written, here)
    return found


SCP = """#!/bin/sh
# Copies between machines' own directories: their hosts' names are as in README.
for last; do :; done
here() {
    case "$1" in
        *:*)
            host=${1%%:*} path=${1#*:} host=${host##*@}
            case "$path" in
                /*) echo "$MACHINES/$host/tree$path" ;;
                *) echo "$MACHINES/$host/home/${path#"~/"}" ;;
            esac ;;
        *) echo "$1" ;;
    esac
}
to=$(here "$last")
while [ $# -gt 1 ]; do
    case "$1" in -*) ;; *) cp -p "$(here "$1")" "$to" ;; esac
    shift
done
"""


@dataclass
class ReadmeMachine:
    """A machine, its own files, and the shell that runs its block."""

    machine: Machine
    name: str
    root: Path
    script: str
    process: subprocess.Popen | None = None

    def prepare(self) -> None:
        for directory in OWN_DIRECTORIES:
            (self.root / self.name / f"tree{directory}").mkdir(parents=True)
        (self.root / self.name / "home").mkdir()

    def inside(self, *words: str) -> list[str]:
        """A command on this machine, with its own directories in a mount namespace."""
        tree = self.root / self.name / "tree"
        binds = [f"mount --bind {tree}{one} {one}" for one in OWN_DIRECTORIES]
        shell = " && ".join(["mount --make-rprivate /", *binds, 'cd "$WORK"', 'exec "$@"'])
        return self.machine.command("unshare", "--mount", "sh", "-c", shell, "sh", *words)

    def environment(self) -> dict[str, str]:
        home = str(self.root / self.name / "home")
        return {**os.environ, "PATH": f"{self.root}/bin:{BINARY.parent}:{os.environ['PATH']}",
                "MACHINES": str(self.root), "WORK": home, "HOME": home}

    def start(self) -> None:
        with open(self.root / self.name / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.inside("bash", "-euo", "pipefail", "-c", self.script), env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)

    def output(self) -> str:
        return (self.root / self.name / "output").read_text(errors="replace")

    @property
    def url(self) -> str:
        found = re.search(r"--http[ =](\S+)", self.script)
        host, port = (found[1] if found else DEFAULT_HTTP).rsplit(":", 1)
        return f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{port}"

    def curl(self, *words: str) -> subprocess.CompletedProcess:
        token = re.search(r"--token-file[ =](\S+)", self.script)
        line = 'exec curl -sS --max-time 30 "$@"'
        if token:
            line = f'exec curl -sS --max-time 30 -H "Authorization: Bearer $(cat {token[1]})" "$@"'
        return subprocess.run(self.inside("sh", "-c", line, "sh", *words), env=self.environment(),
                              capture_output=True, text=True, timeout=60)

    def complaint(self, members: int) -> str | None:
        """Nil when it serves and knows so many members, all alive."""
        ended = self.process.poll()
        assert not ended, f"{self.name}'s block ended with {ended}: {self.output()[-3000:]}"
        done = self.curl("-f", f"{self.url}/v1/status")
        if done.returncode != 0:
            return f"{self.name}: {done.stderr}; {self.output()[-1500:]}"
        status = json.loads(done.stdout)
        health = [one["health"] for one in status["nodes"]]
        if status["members"] != members or health != ["alive"] * members:
            return f"{self.name}: {status['members']} members, {health}"
        # Between two changes of owners a majority of the former ones is needed too.
        if status["replication"]["migrating"]:
            return f"{self.name}: {status['replication']}"
        return None

    def end(self) -> None:
        """Ends the session that start() made: shell and node."""
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass


@pytest.fixture
def readme_machines():
    blocks = steps()
    missing = [name for name in ORDER if name not in blocks]
    if missing:
        pytest.skip(f"README.md has no sh blocks behind the comments {', '.join(missing)}")
    made_here = [one for one in map(Path, OWN_DIRECTORIES) if not one.exists()]
    root = Path(tempfile.mkdtemp(prefix="vx-readme-"))
    (root / "bin").mkdir()
    for name, text in {"scp": SCP, "sudo": '#!/bin/sh\nexec "$@"\n'}.items():
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o755)
    with Network(3, PREFIX, HOSTS) as network:
        made = [ReadmeMachine(machine, name, root, blocks[name])
                for machine, name in zip(network.machines, ORDER)]
        try:
            for path in made_here:
                path.mkdir(parents=True)
            for one in made:
                one.prepare()
            yield made
        finally:
            for one in made:
                one.end()
                if one.process:
                    print(f"---- {one.name}:\n{one.script}\n{one.output()[-3000:]}")
            for path in made_here:
                path.rmdir()
    shutil.rmtree(root)


@pytest.mark.timeout(600)
def test_readmes_three_machines_work_as_written(readme_machines):
    for number, one in enumerate(readme_machines, 1):
        one.start()
        for other in readme_machines[:number]:
            until(lambda other=other: other.complaint(number), 120)
    first, second, third = readme_machines
    made = first.curl("-f", "-X", "PUT", f"{first.url}/v1/buckets/machines")
    assert made.returncode == 0, made.stderr
    put = second.curl("-f", "-X", "PUT", "--data-binary", "hello",
                      f"{second.url}/v1/objects/machines/k")
    assert put.returncode == 0, put.stderr
    for one in readme_machines:
        assert one.curl("-f", f"{one.url}/v1/objects/machines/k").stdout == "hello"
    second.machine.unplug()
    got = third.curl("-f", f"{third.url}/v1/objects/machines/k")
    assert got.stdout == "hello", got.stderr
    second.machine.plug()
    until(lambda: second.complaint(3), 60)
