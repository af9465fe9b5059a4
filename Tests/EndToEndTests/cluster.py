"""Several nodes as processes on this machine that make one cluster: started, hurt, healed, asked.

Nodes are killed and stopped by their own pid only, and all are gone when the test is.
"""

import http.client
import itertools
import os
import re
import shutil
import signal
import time
from pathlib import Path

from server import Server, free_port, poll
from wire import target

# Until everything has its three copies again after whatever a test did.
SETTLE_SECONDS = 120.0
# Until nodes notice that one is gone: DESIGN.md's 3 s, and a busy machine.
SUSPECT_SECONDS = 10.0
REPLICAS = 3

# Test runs at the same time on one machine begin at different ports: a node that is down for a
# while must find its own free.
_first = 18_500 + os.getpid() % 40 * 50
_ports = itertools.cycle([*range(_first, 20_500), *range(18_500, _first)])


class Node(Server):
    """One `vortex server` that belongs to a cluster."""

    def __init__(self, directory: Path, secret: Path, join: str | None = None, flags=(), **place):
        super().__init__(directory, flags, **place)
        self.secret, self.join = secret, join
        self.address = f"127.0.0.1:{free_port(_ports)}"
        if not self.place.path:
            self.place.port = free_port(_ports)
            self.listen = f"{self.place.host}:{self.place.port}"

    def command(self) -> list[str]:
        words = [*super().command(), "--node", self.address, "--secret-file", str(self.secret),
                 "--log-level", "debug"]
        return words + (["--join", self.join] if self.join else [])

    def freeze(self) -> None:
        """SIGSTOP: a node that hangs; the kernel still takes connections and bytes for it."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def status(self, timeout: float = 10) -> dict:
        answer = self.call("GET", "/v1/status", timeout=timeout)
        assert answer.status == 200, (answer.status, answer.body[:500])
        return answer.json()

    @property
    def id(self) -> str:
        return self.status()["node"]

    def wait_ready(self, seconds: float = 60) -> "Node":
        poll(self.ready, seconds, f"{self.directory.name} ready; its log: {self.log()[-2000:]}")
        return self

    def refusal(self, seconds: float = 60) -> str:
        """What a start that has to fail says; fails when it does not end by itself."""
        self.spawn()
        code = self.process.wait(timeout=seconds)
        words = self.log() + self.output()
        assert code > 0, f"exit code {code}: {words[-2000:]}"
        assert "fatal error" not in words.lower(), words[-2000:]
        return words


class Cluster:
    """N nodes with a common secret. They join one by one, each when the cluster is whole."""

    def __init__(self, directory: Path, flags=()):
        self.directory = Path(directory)
        self.flags = list(flags)
        self.nodes: list[Node] = []
        self.secret = self.directory / "secret"

    def make(self, number: int, join: str | None) -> Node:
        return Node(self.directory / f"node-{number}", self.secret, join, self.flags)

    def start(self, count: int = 3) -> "Cluster":
        self.directory.mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            self.add()
        return self

    def add(self) -> Node:
        """One node more, that joins by the first one's address; returns when all know it."""
        join = self.nodes[0].address if self.nodes else None
        node = self.make(len(self.nodes) + 1, join)
        self.nodes.append(node)
        node.start()
        self.settle()
        return node

    def end(self) -> None:
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            print(f"---- {node.directory.name}, {node.address}:\n{node.log()[-3000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    # ---- what is hurt, and healed

    def others(self, *hurt: Node) -> list[Node]:
        return [node for node in self.nodes if node not in hurt]

    def restart(self, nodes=None) -> None:
        """Starts dead nodes, in the order given: all at once, since one alone has no quorum."""
        dead = [node for node in (nodes or self.nodes) if not node.alive]
        for node in dead:
            node.spawn()
        for node in dead:
            node.wait_ready()

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until every node says that all are there and that nothing is missing."""
        until(self.unsettled, seconds)

    def unsettled(self) -> str | None:
        """What is not as it should be; nil when all is well."""
        for node in self.nodes:
            assert node.alive, f"{node.directory.name} ended: {node.log()[-3000:]}"
            complaint = complaint_about(node, len(self.nodes))
            if complaint:
                return f"{node.directory.name}: {complaint}"
        return None

    def wait_suspect(self, *hurt: Node, seconds: float = SUSPECT_SECONDS) -> None:
        """Waits until the healthy nodes see that these are not, and that all others are."""
        addresses = {node.address for node in hurt}

        def unnoticed() -> str | None:
            for node in self.others(*hurt):
                seen = {one["address"] for one in node.status()["nodes"]
                        if one["health"] != "alive"}
                if seen != addresses:
                    return f"{node.directory.name} suspects {seen}, not {addresses}"
            return None
        until(unnoticed, seconds)

    # ---- what clients do

    def create_bucket(self, name: str) -> str:
        return self.nodes[0].create_bucket(name)

    def put(self, bucket: str, key: str, body, by: int = 0, headers=None):
        return self.nodes[by].call("PUT", target(bucket, key), body, headers)

    def get_everywhere(self, bucket: str, key: str) -> bytes | None:
        """What every node says that is there, nil for nothing; fails when they differ."""
        found = []
        for node in self.nodes:
            answer = node.call("GET", target(bucket, key))
            assert answer.status in (200, 404), (answer.status, answer.body[:300])
            found.append(answer.body if answer.status == 200 else None)
        assert all(one == found[0] for one in found), f"{key} differs from node to node"
        return found[0]

    def chunks(self, bucket: str, key: str, by: int = 0) -> list[dict]:
        """Where each chunk is, by /v1/placement: a gateway reads all copies for that."""
        path = target(bucket, key).replace("/objects/", "/placement/", 1)
        answer = self.nodes[by].call("GET", path)
        assert answer.status == 200, (answer.status, answer.body[:300])
        return answer.json()["chunks"]

    def verified_copies(self, bucket: str, key: str, by: int = 0) -> list[int]:
        """For each chunk, how many copies a gateway has just read and found good."""
        return [sum(copy["state"] == "verified" for copy in chunk["copies"])
                for chunk in self.chunks(bucket, key, by)]

    def bytes_on_nodes(self, bucket: str, keys) -> list[int]:
        """For each node, how many bytes of these keys' objects it has good copies of."""
        stored = dict.fromkeys([node.id for node in self.nodes], 0)
        for key in keys:
            for chunk in self.chunks(bucket, key):
                for copy in chunk["copies"]:
                    if copy["state"] == "verified":
                        stored[copy["node"]] += chunk["length"]
        return list(stored.values())

    def wait_copies(self, bucket: str, keys, by: int = 0, seconds: float = SETTLE_SECONDS) -> None:
        """Waits until all chunks of these keys have all their copies."""
        for key in keys:
            def incomplete(key=key) -> str | None:
                copies = self.verified_copies(bucket, key, by)
                wanted = min(REPLICAS, len(self.nodes))
                return f"{key} has {copies} copies" if any(n != wanted for n in copies) else None
            until(incomplete, seconds)


def complaint_about(node: Node, members: int) -> str | None:
    """Why this node does not say that all members are there and everything has all its copies."""
    status = node.status()
    seen = [(one["state"], one["health"]) for one in status["nodes"]]
    if status["members"] != members or seen != [("active", "alive")] * members:
        return f"{status['members']} members, {seen}, of {members}"
    replication, repair = status["replication"], status["repair"]
    for name in ("migrating", "without_quorum"):
        if replication[name]:
            return f"{replication}"
    if members >= REPLICAS and not replication["complete"]:
        return f"{replication}, {repair}"
    if repair["missing_rows"] or repair["missing_chunks"]:
        return f"{repair}"
    return None


def until(complaint, seconds: float, interval: float = 0.1) -> None:
    """Waits until there is no complaint; fails with the last one."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            words = complaint()
        except (OSError, http.client.HTTPException) as error:
            words = repr(error)
        if not words:
            return
        assert time.monotonic() < deadline, f"not within {seconds} s: {words}"
        time.sleep(interval)


def passed(seconds: float):
    """A condition for `poll`: true when so much time has gone by."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def last(seconds: float) -> None:
    """Lets a load go on for a while; what it found is checked afterwards."""
    poll(passed(seconds), seconds + 60, "the time", interval=0.01)


def directory_name(test_name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", test_name.lower()).strip("-")[:40]


def remove(directory: Path) -> None:
    if os.environ.get("VORTEX_E2E_KEEP") != "1":
        shutil.rmtree(directory, ignore_errors=True)
