"""`./dev bench N`: what N nodes on this machine and this disk do, beside a single node, in one run.

Load, runs, turns and table are bench.py's: single node and cluster take turns, every figure is the
median of its runs. For GET and lists each gateway of the cluster is measured by itself, since a
client may use any; what counts is the slowest. The targets are those of issue 3: all copies share
one disk, so that a PUT may at best be a third as fast.
"""

import os
import time
from pathlib import Path

import bench
from bench import BUCKET, KIB, MIB, Bench, fill, list_rate, name_of, rate, speed

LISTED_KEYS = 100_000
COPIES = 3
# Of the single node's figures. PUT: 0.8 of what is left where every byte is written so many times.
PUT_LEAST, GET_LEAST, SMALL_PUT_LEAST, SMALL_GET_LEAST = 0.8, 0.7, 0.25, 0.5
LIST_LEAST = 100_000
IDLE_MIB, LOAD_MIB = 30, 200


class Several(Bench):
    """A single node and a cluster, both running from beginning to end; one of them idles."""

    def __init__(self, options, directory: Path):
        super().__init__(options, directory)
        self.nodes = options.nodes
        self.keys = 10_000 if options.quick else LISTED_KEYS
        self.single = self.cluster = None

    def start(self) -> None:
        from cluster import Cluster
        self.single = self.server()
        self.cluster = Cluster(self.directory / "cluster", ["--access-log", "off"])
        self.cluster.start(self.nodes)
        self.cluster.create_bucket(BUCKET)

    def end(self) -> None:
        for node in [self.single, *(self.cluster.nodes if self.cluster else [])]:
            if node:
                node.kill()

    @property
    def name(self) -> str:
        return f"{self.nodes} nodes"

    def compare(self, op: str, size: int, connections: int, keys: int, least: float,
                gateways=None) -> None:
        """One row: the single node, and the cluster through its slowest gateway."""
        places = {f"gateway_{number}": node.place
                  for number, node in enumerate(gateways or self.cluster.nodes, 1)}
        figures = self.in_turns(**{
            name: lambda place=place: rate(self.http(place, op, size, connections, keys))
            for name, place in {"single": self.single.place, **places}.items()})
        slowest = min(figures[name] for name in places)
        which = "" if len(places) == 1 else ", the slowest gateway"
        self.add_ratio(f"{op.upper()} {name_of(size)}, {connections} connections{which}", slowest,
                       figures["single"], least, speed(size), "single node")

    # ---- the table

    def idle(self) -> None:
        time.sleep(1)  # nothing to poll for: idle means that nothing happens
        most = max(node.memory_bytes() for node in self.cluster.nodes) / MIB
        self.add("memory of each node, idle, empty", f"{most:.1f} MiB", "", None,
                 f"≤ {IDLE_MIB} MiB", most <= IDLE_MIB)

    def put(self) -> None:
        least = PUT_LEAST / min(COPIES, self.nodes)
        for size, keys in [(MIB, 64), (64 * MIB, 8)]:
            self.compare("put", size, 8, keys, round(least, 3), self.cluster.nodes[:1])

    def get(self) -> None:
        for size, connections, keys, least in [
                (MIB, 8, 64, GET_LEAST), (64 * MIB, 8, 8, GET_LEAST),
                (4 * KIB, 64, 1000, SMALL_GET_LEAST)]:
            for server in (self.single, self.cluster.nodes[0]):
                fill(server.place, self.path(server.place, size), size, 0, keys)
            self.compare("get", size, connections, keys, least)

    def small_put(self) -> None:
        self.compare("put", 4 * KIB, 64, 10_000, SMALL_PUT_LEAST, self.cluster.nodes[:1])
        self.latency()

    def latency(self) -> None:
        """No target: what one durable PUT costs with the copies."""
        figures = self.in_turns(
            single=lambda: rate(self.http(self.single.place, "put", 4 * KIB, 1, 10_000)),
            several=lambda: rate(self.http(self.cluster.nodes[0].place, "put", 4 * KIB, 1, 10_000)))
        one, several = 1e6 / figures["single"], 1e6 / figures["several"]
        self.add("PUT 4 KiB, 1 connection", f"{several:,.0f} µs", f"single node {one:,.0f} µs",
                 several / one, "none", True)

    def listing(self) -> None:
        """A bucket of its own in the cluster: other rows' objects are not in it."""
        bench.BUCKET = "listed"
        try:
            first = self.cluster.nodes[0]
            first.create_bucket("listed")
            fill(first.place, self.path(first.place, 4 * KIB), 4 * KIB, 0, self.keys)
            figures = self.in_turns(**{
                f"gateway_{number}": lambda node=node: list_rate(node, self.keys)
                for number, node in enumerate(self.cluster.nodes, 1)})
        finally:
            bench.BUCKET = BUCKET
        slowest = min(figures.values())
        self.add(f"list, {self.keys:,} keys, the slowest gateway", f"{slowest:,.0f} keys/s", "",
                 slowest / LIST_LEAST, f"≥ {LIST_LEAST:,} keys/s", slowest >= LIST_LEAST)

    def memory(self) -> None:
        gateway = self.cluster.nodes[0].place
        seconds = 3 if self.quick else 8
        for op, what in [("put", "64 uploads of 64 MiB at once"),
                         ("get", "64 downloads of 64 MiB at once")]:
            peaks = self.peaks(lambda: self.http(gateway, op, 64 * MIB, 64, 8, seconds))
            each = ", ".join(f"{peak:.0f}" for peak in peaks)
            self.add(f"memory of each node, {what} by one gateway", f"{each} MiB", "", None,
                     f"< {LOAD_MIB} MiB", max(peaks) < LOAD_MIB)

    def peaks(self, work) -> list[float]:
        """Most resident MiB of each node while the work runs; the gateway is the first."""
        watched = work
        found: dict[int, float] = {}
        for index, node in enumerate(self.cluster.nodes):
            def watch(inner=watched, index=index, node=node):
                found[index] = self.peak(node, inner)
            watched = watch
        watched()
        return [found[index] for index in range(len(self.cluster.nodes))]

    def processor(self) -> None:
        """Where the processor's time goes for a 1 MiB PUT: each process's seconds per GB."""
        processes = {"single": self.single, **{
            f"node {number}": node for number, node in enumerate(self.cluster.nodes, 1)}}
        for place, name, members in [
                (self.single.place, "single", ["single"]),
                (self.cluster.nodes[0].place, self.name, list(processes)[1:])]:
            before = {one: cpu_seconds(processes[one].pid) for one in members}
            done = self.http(place, "put", MIB, 8, 64)
            gigabytes = rate(done) * done["seconds"] * MIB / 1e9
            used = [(cpu_seconds(processes[one].pid) - before[one]) / gigabytes for one in members]
            self.add(f"processor for PUT 1 MiB, {name}", f"{sum(used):.2f} s/GB",
                     " + ".join(f"{one:.2f}" for one in used), None, "none", True)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    bench.run(Several, ["idle", "put", "get", "small_put", "listing", "memory", "processor"], __doc__,
              "3 short runs, 10,000 listed keys", count=True)
