"""`./dev bench s3`: what S3 costs over `/v1`, on one node, in one run.

The same bodies go in and out by both, taking turns: by `/v1`, which hashes with XXH3 and asks a loopback
client for nothing, and by S3 with Signature Version 4, whose ETag is the body's MD5, and whose signature may
cover the body's SHA-256. Where bodies are large those two hashes are all that there is to see: each row says
what one core does of them, and a PUT of 1 MiB or more is held against the slower of `/v1` and of the hashes on
all cores. load.c signs, and makes the load.
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

    def hashed(self, op: str, size: int, connections: int, is_signed: bool) -> float:
        """Requests a second that the hashes alone allow; a connection's body has one core."""
        if op == "get" or size < MIB:
            return float("inf")
        names = ["md5", "sha256"] if is_signed else ["md5"]
        seconds = sum(size / self.hashes[name] for name in names)
        return min(os.cpu_count() or 1, connections) / seconds

    def measure(self, op: str) -> None:
        for size, keys in SIZES:
            server = self.server()
            try:
                fill(server.place, self.path(server.place, size), size, 0, keys)
                for connections in self.connections:
                    self.compare(server, op, size, connections, keys)
            finally:
                self.remove(server)

    def compare(self, server, op: str, size: int, connections: int, keys: int) -> None:
        place = server.place
        figures = self.in_turns(
            v1=lambda: rate(self.http(place, op, size, connections, keys)),
            signed=lambda: self.signed(place, op, size, connections, keys, "signed"),
            unsigned=lambda: self.signed(place, op, size, connections, keys, "unsigned"))
        for how in ("signed", "unsigned"):
            hashed = self.hashed(op, size, connections, how == "signed")
            bound = min(figures["v1"], hashed)
            name = "/v1" if bound == figures["v1"] else "MD5, SHA-256" if how == "signed" else "MD5"
            self.add_ratio(f"{op.upper()} {name_of(size)}, {connections} connections, {how}", figures[how],
                           bound, LEAST, speed(size), name)

    def put(self) -> None:
        self.measure("put")

    def get(self) -> None:
        self.measure("get")


if __name__ == "__main__":
    bench.run(S3, ["put", "get"], __doc__, "3 short runs, at 1 and 16 connections",
              VORTEX_ACCESS_KEY=ID, VORTEX_SECRET_KEY=SECRET)
