"""`./dev bench s3`: what S3 costs over `/v1`, on one node, in one run.

The same bodies go in and out by both, taking turns: by `/v1`, which hashes with XXH3 and asks a loopback
client for nothing, and by S3 with Signature Version 4, whose ETag is the body's MD5, and whose signature may
cover the body's SHA-256. Where bodies are large those two hashes are all that there is to see: each row says
what one core does of them, and a PUT of 1 MiB or more is held against what `/v1` takes with the hashes' time on
top, shared by the cores. load.c signs, and makes the load; both are in the figures, as they share the cores.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

import bench
from bench import BUCKET, KIB, MIB, Bench, fill, name_of, rate, speed

# Of /v1's rate where a body is small, and of what the hashes leave of it where it is large.
LEAST = 0.75
CONNECTIONS = [1, 16, 64]
# 64 bodies of 64 MiB in flight, 15 times, are 64 GB: fewer runs of those.
RUNS_OF_LARGE = 3
SIZES = [(4 * KIB, 1_000), (MIB, 64), (64 * MIB, 8)]
ID, SECRET = "VXNABENCHBENCHBENCH2", "benchbenchbenchbenchbenchbenchbenchbench"


def hash_speed(name: str) -> float:
    """Bytes a second of one core."""
    body = os.urandom(64 * MIB)
    best = 0.0
    for _ in range(3):
        begin = time.perf_counter()
        hashlib.new(name, body).digest()
        best = max(best, len(body) / (time.perf_counter() - begin))
    return best


class S3(Bench):
    def __init__(self, options, directory: Path):
        super().__init__(options, directory)
        self.hashes = {name: hash_speed(name) for name in ("md5", "sha256")}
        self.connections = [1, 16] if options.quick else CONNECTIONS
        print("    one core: " + ", ".join(f"{name} {value / 1e9:.2f} GB/s"
                                           for name, value in self.hashes.items()), file=sys.stderr)

    def signed(self, place, op: str, size: int, connections: int, keys: int, how: str) -> float:
        return rate(self.load("http", place.port, f"/{BUCKET}/{size}-%d", op, size, connections,
                              self.seconds, keys, f"{ID}:{SECRET}", how))

    def bound(self, v1: float, op: str, size: int, connections: int, is_signed: bool) -> tuple[float, str]:
        """Requests a second that there can be, and why; one connection's body has one core."""
        if op == "get" or size < MIB:
            return v1, "/v1"
        names = ["md5", "sha256"] if is_signed else ["md5"]
        seconds = sum(size / self.hashes[name] for name in names) / min(os.cpu_count() or 1, connections)
        words = f"{v1 * size / 1e9:.2f} GB/s by /v1, with {' and '.join(names)}"
        return 1 / (1 / v1 + seconds), words

    def measure(self, op: str) -> None:
        for size, keys in SIZES:
            # What was replaced stays for a quarter of an hour: large bodies would fill the disk.
            batches = [[one] for one in self.connections] if size > MIB else [self.connections]
            for batch in batches:
                server = self.server()
                try:
                    fill(server.place, self.path(server.place, size), size, 0, keys)
                    for connections in batch:
                        self.compare(server, op, size, connections, keys)
                finally:
                    self.remove(server)

    def compare(self, server, op: str, size: int, connections: int, keys: int) -> None:
        place = server.place
        figures = self.in_turns(
            runs=min(self.runs, RUNS_OF_LARGE) if size > MIB else self.runs,
            v1=lambda: rate(self.http(place, op, size, connections, keys)),
            signed=lambda: self.signed(place, op, size, connections, keys, "signed"),
            unsigned=lambda: self.signed(place, op, size, connections, keys, "unsigned"))
        for how in ("signed", "unsigned"):
            bound, name = self.bound(figures["v1"], op, size, connections, how == "signed")
            self.add_ratio(f"{op.upper()} {name_of(size)}, {connections} connections, {how}", figures[how],
                           bound, LEAST, speed(size), name)

    def put(self) -> None:
        self.measure("put")

    def get(self) -> None:
        self.measure("get")


if __name__ == "__main__":
    bench.run(S3, ["put", "get"], __doc__, "3 short runs, at 1 and 16 connections",
              VORTEX_ACCESS_KEY=ID, VORTEX_SECRET_KEY=SECRET)
