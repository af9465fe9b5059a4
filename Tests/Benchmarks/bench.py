"""`./dev bench`: issue 2's table in one run, against references on the same machine.

The references are nginx (Debian's, sendfile, WebDAV) on the same disk, and the disk itself: a program that appends
and fdatasyncs the same bytes in the same batches. Reference and subject take turns, so that a noisy minute hits
both; every figure is the median of its runs, and the dirty pages of one are written back before the next begins.
load.c makes the load, for both servers alike.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEndTests"))

KIB, MIB = 1 << 10, 1 << 20
BUCKET = "bench"


@dataclass
class Row:
    """One line of the table. `ratio` is value/reference, or value/target where there is no reference."""

    work: str
    value: str
    reference: str
    ratio: float | None
    target: str
    met: bool


class Nginx:
    """Debian's nginx with its own configuration: what a good admin would give it for this work."""

    def __init__(self, directory: Path, port: int):
        self.directory, self.port, self.place = directory, port, Place(port=port)
        self.process: subprocess.Popen | None = None

    def start(self) -> "Nginx":
        (self.directory / "files/dav").mkdir(parents=True)
        config = self.directory / "nginx.conf"
        config.write_text(f"""
            daemon off; worker_processes auto; user root;
            pid {self.directory}/pid; error_log {self.directory}/error.log;
            worker_rlimit_nofile 8192;
            events {{ worker_connections 4096; }}
            http {{
              access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
              keepalive_requests 1000000000;
              client_max_body_size 0;
              client_body_temp_path {self.directory}/files/body;
              proxy_temp_path {self.directory}/p; fastcgi_temp_path {self.directory}/f;
              uwsgi_temp_path {self.directory}/u; scgi_temp_path {self.directory}/s;
              server {{
                listen 127.0.0.1:{self.port} backlog=1024;
                root {self.directory}/files;
                location /dav/ {{ dav_methods PUT DELETE; create_full_put_path on; }}
              }}
            }}""")
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["nginx", "-p", str(self.directory), "-e", str(self.directory / "error.log"), "-c", str(config)],
                stdout=log, stderr=log)
        poll(self._serves, 20, "nginx serving")
        return self

    def _serves(self) -> bool:
        assert self.process.poll() is None, (self.directory / "log").read_text()
        try:
            self.place.connect(2).close()
            return True
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Bench:
    """The machine, the binary, and the rows so far."""

    def __init__(self, options, directory: Path):
        self.binary = str(Path(options.vortex).absolute())
        self.directory = directory
        self.quick = options.quick
        self.runs = 3 if options.quick else 5
        self.seconds = 1.0 if options.quick else options.seconds
        self.many = 100_000 if options.quick else 1_000_000
        self.rows: list[Row] = []
        self.count = 0
        self.dav: set[int] = set()

    # ---- what runs

    def start(self) -> None:
        """What all rows need."""

    def end(self) -> None:
        """Also after a failure."""

    def server(self) -> "Server":
        self.count += 1
        server = Server(self.directory / f"vortex-{self.count}", ["--access-log", "off"]).start()
        server.create_bucket(BUCKET)
        return server

    def remove(self, server: "Server") -> None:
        server.kill()
        shutil.rmtree(server.directory)

    def nginx(self) -> Nginx:
        self.count += 1
        directory = self.directory / f"nginx-{self.count}"
        directory.mkdir()
        nginx = Nginx(directory, free_port()).start()
        self.dav.add(nginx.port)
        return nginx

    def load(self, *words) -> dict:
        """Runs load.c, compiled for this run."""
        program = self.directory / "load"
        if not program.exists():
            compiler = shutil.which("cc") or shutil.which("clang")
            subprocess.run([compiler, "-O2", "-o", program, Path(__file__).with_name("load.c"), "-lcrypto"],
                           check=True)
        done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"load {' '.join(map(str, words))}: {done.returncode} {done.stderr[-2000:]}")
        result = json.loads(done.stdout)
        if result.get("errors"):
            raise SystemExit(f"load {' '.join(map(str, words))}: {result} {done.stderr[-2000:]}")
        return result

    def http(self, place: "Place", op: str, size: int, connections: int, keys: int, seconds=None) -> dict:
        return self.load("http", place.port, self.path(place, size), op, size, connections,
                         seconds or self.seconds, keys)

    def path(self, place: "Place", size: int) -> str:
        """Objects of different sizes have different names."""
        return f"/dav/{size}-%d" if place.port in self.dav else f"/v1/objects/{BUCKET}/{size}-%d"

    def disk(self, size: int, batch: int, count: int) -> dict:
        file = self.directory / "raw"
        result = self.load("disk", file, size, batch, count)
        file.unlink()
        return result

    def in_turns(self, runs=None, **work) -> dict[str, float]:
        """The median of each; one run of each after the other, the dirty pages written back between."""
        figures: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(runs or self.runs):
            for name, run in work.items():
                os.sync()
                figures[name].append(run())
        for name, values in figures.items():
            print(f"    {name}: " + " ".join(f"{value:,.1f}" for value in values), file=sys.stderr)
        return {name: statistics.median(values) for name, values in figures.items()}

    def add(self, work, value, reference, ratio, target, met) -> None:
        self.rows.append(Row(work, value, reference, ratio, target, met))
        print(f"  {work}: {value}; {reference}; {target}: {'met' if met else 'MISSED'}", file=sys.stderr)

    def add_ratio(self, work: str, value: float, reference: float, at_least: float, form, name: str) -> None:
        ratio = value / reference
        self.add(work, form(value), f"{name} {form(reference)}", ratio, f"≥ {at_least} ×", ratio >= at_least)

    # ---- the table

    def get(self) -> None:
        nginx, server = self.nginx(), self.server()
        try:
            for size, connections, keys, least in [
                    (MIB, 8, 64, 1.0), (64 * MIB, 8, 8, 1.0), (4 * KIB, 64, 1000, 0.6)]:
                fill(nginx.place, self.path(nginx.place, size), size, 0, keys)
                fill(server.place, self.path(server.place, size), size, 0, keys)
                figures = self.in_turns(
                    nginx=lambda: rate(self.http(nginx.place, "get", size, connections, keys)),
                    vortex=lambda: rate(self.http(server.place, "get", size, connections, keys)))
                self.add_ratio(f"GET {name_of(size)}, {connections} connections, cached", figures["vortex"],
                               figures["nginx"], least, speed(size), "nginx")
        finally:
            nginx.stop()
            self.remove(server)
            shutil.rmtree(nginx.directory)

    def put(self) -> None:
        for size, keys in [(MIB, 64), (64 * MIB, 8)]:
            nginx, server = self.nginx(), self.server()
            try:
                batch = 8
                probe = syncs(server)
                done = self.http(server.place, "put", size, 8, keys)
                if (count := syncs(server) - probe) > 0:
                    # The same bytes in the same batches: how many MiB one sync of the server's covered.
                    batch = max(1, round(rate(done) * done["seconds"] * size / MIB / count))
                count = max(1, int(2 * self.seconds * 400) // batch)
                figures = self.in_turns(
                    raw_disk=lambda: byte_rate(self.disk(MIB, batch, count)) / size,
                    nginx=lambda: rate(self.http(nginx.place, "put", size, 8, keys)),
                    vortex=lambda: rate(self.http(server.place, "put", size, 8, keys)))
                work = f"PUT {name_of(size)}, durable, 8 connections"
                self.add_ratio(work, figures["vortex"], figures["raw_disk"], 0.8, speed(size),
                               f"raw disk (batches of {batch} MiB)")
                self.add_ratio(work, figures["vortex"], figures["nginx"], 1.0, speed(size), "nginx DAV, no fsync")
            finally:
                nginx.stop()
                self.remove(server)
                shutil.rmtree(nginx.directory)

    def small_put(self) -> None:
        server = self.server()
        try:
            count = 500 if self.quick else 3000
            figures = self.in_turns(
                fdatasync=lambda: sync_rate(self.disk(4 * KIB, 1, count)),
                vortex_64=lambda: rate(self.http(server.place, "put", 4 * KIB, 64, 10_000)),
                vortex_1=lambda: rate(self.http(server.place, "put", 4 * KIB, 1, 10_000)))
            self.add_ratio("PUT 4 KiB, durable, 64 connections", figures["vortex_64"], figures["fdatasync"], 4,
                           per_second, "single fdatasyncs")
            latency, sync = 1e6 / figures["vortex_1"], 1e6 / figures["fdatasync"]
            self.add("PUT 4 KiB, durable, 1 connection", f"{latency:,.0f} µs", f"one fdatasync {sync:,.0f} µs",
                     latency / sync, "≤ 1.5 ×", latency <= 1.5 * sync)
        finally:
            self.remove(server)

    def memory(self) -> None:
        server = self.server()
        try:
            time.sleep(1)  # nothing to poll for: idle means that nothing happens
            idle = server.memory_bytes() / MIB
            self.add("memory, idle, empty", f"{idle:.1f} MiB", "", None, "≤ 30 MiB", idle <= 30)
            for op, what in [("put", "64 uploads of 64 MiB at once"), ("get", "64 downloads of 64 MiB at once")]:
                seconds = 3 if self.quick else 8
                peak = self.peak(server, lambda: self.http(server.place, op, 64 * MIB, 64, 8, seconds))
                self.add(f"memory, {what}", f"{peak:.0f} MiB", "", None, "< 200 MiB", peak < 200)
        finally:
            self.remove(server)

    def peak(self, server: "Server", work) -> float:
        """Most resident MiB while the work runs."""
        done = threading.Event()
        peak = 0

        def watch():
            nonlocal peak
            while not done.is_set():
                peak = max(peak, server.memory_bytes())
                done.wait(0.02)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            work()
        finally:
            done.set()
            watcher.join()
        return peak / MIB

    def growth(self) -> None:
        server = self.server()
        try:
            path = self.path(server.place, 4 * KIB)
            figures = {}
            for count, before in [(10_000, 0), (self.many, 10_000)]:
                begin = time.monotonic()
                fill(server.place, path, 4 * KIB, before, count)
                print(f"    filled {before:,} to {count:,} in {time.monotonic() - begin:.1f} s", file=sys.stderr)
                figures[count] = self.in_turns(
                    put=lambda: rate(self.http(server.place, "put", 4 * KIB, 64, count)),
                    get=lambda: rate(self.http(server.place, "get", 4 * KIB, 64, count)))
            for op in ("put", "get"):
                small, big = figures[10_000][op], figures[self.many][op]
                self.add_ratio(f"{op.upper()} 4 KiB at {self.many:,} objects", big, small, 0.85, per_second,
                               "at 10,000")
            self.listing(server)
            memory = server.memory_bytes() / MIB
            self.add(f"memory, {self.many:,} objects", f"{memory:.0f} MiB", "", None, "< 200 MiB", memory < 200)
            seconds = server.restart()
            self.add(f"start after SIGKILL, {self.many:,} objects", f"{seconds:.2f} s", "", None, "< 5 s", seconds < 5)
            memory = server.memory_bytes() / MIB
            self.add(f"memory, {self.many:,} objects, started again", f"{memory:.0f} MiB", "", None, "< 200 MiB",
                     memory < 200)
        finally:
            self.remove(server)

    def listing(self, server: "Server") -> None:
        figures = self.in_turns(list=lambda: list_rate(server, self.many))
        self.add(f"list, {self.many:,} keys", f"{figures['list']:,.0f} keys/s", "", figures["list"] / 200_000,
                 "≥ 200,000 keys/s", figures["list"] >= 200_000)


# ---- figures out of what the tools say

def rate(result: dict) -> float:
    """Requests a second."""
    return result["requests_per_second"]


def byte_rate(result: dict) -> float:
    return result["bytes_per_second"]


def sync_rate(result: dict) -> float:
    return result["syncs_per_second"]


def syncs(server: "Server") -> float:
    """fdatasyncs so far, by the server's own metrics; 0 where they do not say."""
    text = server.call("GET", "/v1/metrics").body.decode()
    found = re.findall(r"^[a-z_]*sync[a-z_]*_total(?:\{[^}]*\})? ([0-9.e+]+)$", text, re.M)
    return sum(float(value) for value in found)


def list_rate(server: "Server", count: int) -> float:
    """Keys a second, from the first page to the last, by one client that does not parse what it need not."""
    begin, after, keys = time.monotonic(), "", 0
    with server.place.session() as session:
        while True:
            body = session.call("GET", f"/v1/objects/{BUCKET}?limit=1000{after}").body
            keys += body.count(b'"key"')
            next_ = json.loads(b"{" + body[body.rindex(b'"next"'):])["next"]
            if next_ is None:
                break
            after = "&after=" + quote(next_, safe="")
    assert keys == count, (keys, count)
    return keys / (time.monotonic() - begin)


def fill(place, path: str, size: int, first: int, last: int) -> None:
    """Objects `first` to `last` with `size` bytes each."""
    body = os.urandom(size)
    head = f"PUT {path} HTTP/1.1\r\nHost: v\r\nContent-Length: {size}\r\n\r\n"
    if size <= 64 * KIB:
        counts = pipeline.run(place, ((head % number).encode() + body for number in range(first, last)), 64)
        assert set(counts) <= {b"200", b"201", b"204"}, counts
        return
    with place.session() as session:
        for number in range(first, last):
            assert session.call("PUT", path % number, body).status in (200, 201, 204)


def name_of(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


def speed(size: int):
    """How to write requests a second of this size."""
    return per_second if size < MIB else lambda value: f"{value * size / 1e9:.2f} GB/s"


def per_second(value: float) -> str:
    return f"{value:,.0f}/s"


def facts(directory: Path, binary: str) -> list[str]:
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    mount = subprocess.run(["df", "--output=source,fstype,avail", "-h", directory], capture_output=True, text=True)
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True).stderr.strip()
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / MIB
    return [f"CPU {cpu[1] if cpu else platform.machine()} × {os.cpu_count()}, {memory:.0f} GiB",
            f"Linux {platform.release()}", f"disk {' '.join(mount.stdout.splitlines()[-1].split())} free",
            nginx, f"vortex {version} {commit.stdout.strip()}".strip(), time.strftime("%Y-%m-%d")]


def table(bench: Bench) -> str:
    lines = ["| work | value | reference | ratio | target | |", "|---|---|---|---|---|---|"]
    for row in bench.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(f"| {row.work} | {row.value} | {row.reference} | {ratio} | {row.target} | "
                     f"{'met' if row.met else '**missed**'} |")
    machine = "; ".join(facts(bench.directory, bench.binary))
    return "\n".join([*lines, "", f"Medians of {bench.runs}. {machine}."])


def run(make, names: list[str], description: str, quick: str, count: bool = False, **environment: str) -> None:
    """A benchmark from its options to its table; `make` is a Bench, whose methods `names` are."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if count:
        options.add_argument("--nodes", type=int, default=3)
    options.add_argument("--vortex", default=str(ROOT / ".build/release/vortex"), help="the release binary")
    options.add_argument("--quick", action="store_true", help=quick)
    options.add_argument("--only", choices=names, action="append", help="just these rows; may be repeated")
    options.add_argument("--seconds", type=float, default=3.0, help="length of one run")
    options.add_argument("--dir", default=str(ROOT / ".build-e2e"), help="a directory on the disk to measure")
    chosen = options.parse_args()
    os.environ.update(VORTEX_BINARY=str(Path(chosen.vortex).absolute()), **environment)
    load()
    Path(chosen.dir).mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=chosen.dir))
    bench = make(chosen, directory)
    try:
        bench.start()
        for name in chosen.only or names:
            print(name, file=sys.stderr)
            getattr(bench, name)()
    finally:
        bench.end()
        if bench.rows:
            print(table(bench))
        shutil.rmtree(directory, ignore_errors=True)


def load() -> None:
    """The tests' server and clients; they look for the binary when they are imported."""
    global Place, Server, free_port, poll, pipeline, quote
    from urllib.parse import quote

    import pipeline
    from server import Server, free_port, poll
    from wire import Place


if __name__ == "__main__":
    run(Bench, ["get", "put", "small_put", "memory", "growth"], __doc__,
        "3 short runs and 100,000 objects instead of 1,000,000")
