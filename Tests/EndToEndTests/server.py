"""The built binary as a process: started on a directory, asked whether it is ready, stopped or killed."""

import itertools
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from wire import Place

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("VORTEX_BINARY", ROOT / ".build/release/vortex")).absolute()

# How long a start, also after a crash, may take before a test calls it failed.
READY_SECONDS = 60.0
STOP_SECONDS = 30.0

_ports = itertools.cycle(range(18400, 18500))


def free_port(ports=_ports) -> int:
    """A port nobody listens on, from a range below the kernel's ephemeral ports: those that a test
    opens by the thousand cannot take it before the server does."""
    for port in itertools.islice(ports, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port among those for tests")


def poll(condition, seconds: float, what: str, interval: float = 0.02):
    """The condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(interval)


class Server:
    """One `vortex server`. Its standard error goes to a file beside the data directory."""

    def __init__(self, directory: Path, flags=(), unix: str | None = None, host="127.0.0.1"):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.log_path = self.directory / "stderr.log"
        self.out_path = self.directory / "stdout.log"
        self.flags = list(flags)
        self.process: subprocess.Popen | None = None
        self.place = Place(path=unix) if unix else Place(port=free_port())
        self.listen = f"unix:{unix}" if unix else f"{host}:{self.place.port}"

    @property
    def url(self) -> str:
        scheme = "https" if self.place.tls else "http"
        return f"{scheme}://{self.place.host}:{self.place.port}"

    def command(self) -> list[str]:
        return [str(BINARY), "server", "--data", str(self.data), "--http", self.listen, *self.flags]

    def spawn(self) -> "Server":
        """Starts the process and does not wait for it to serve."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.out_path, "ab") as out, open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        return self

    def start(self, seconds: float = READY_SECONDS) -> "Server":
        self.spawn()
        poll(self.ready, seconds, f"ready; its log ends: {self.log()[-2000:]}")
        return self

    def ready(self) -> bool:
        code = self.process.poll()
        assert code is None, f"the server ended with {code}: {self.log()[-4000:]}"
        try:
            return self.call("GET", "/v1/health/ready", timeout=5).status == 200
        except (OSError, EOFError):
            return False
        except Exception as error:  # http.client's own, for an answer cut off at the start
            if type(error).__module__ == "http.client":
                return False
            raise

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def call(self, method, target, body=None, headers=None, timeout: float = 60):
        return self.place.call(method, target, body, headers, timeout)

    def create_bucket(self, name: str) -> str:
        answer = self.call("PUT", f"/v1/buckets/{name}")
        assert answer.status in (200, 201), (answer.status, answer.body)
        return name

    def kill(self) -> None:
        """SIGKILL: what a crash of the process is."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM, as systemd does; the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(timeout=STOP_SECONDS)

    def restart(self) -> float:
        """Kills and starts again on the same data; the seconds until it was ready."""
        self.kill()
        begin = time.monotonic()
        self.start()
        return time.monotonic() - begin

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def output(self) -> str:
        return self.out_path.read_text(errors="replace") if self.out_path.exists() else ""

    def memory_bytes(self) -> int:
        """Resident memory that is not a file's."""
        fields = {}
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            fields[name] = value.split()
        return int(fields["VmRSS"][0]) * 1024

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))
