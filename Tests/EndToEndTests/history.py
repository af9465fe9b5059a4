"""Clients that use a cluster in every way, never retry, and write down what they did and saw.

Each client sends one request at a time through changing gateways, and logs it for
`vortex check-history`, one JSON object per line and request. A request whose answer was lost, or
was a 5xx, may or may not have had its effect: it has no end and no status, and the client goes on
under a new number, as one who never came back and one who just came.

Hot keys belong to all: whether their histories make sense is the checker's to say. Cold keys belong
to one client each, so that what may be under them is known here: the last acknowledged state, and
the states asked for since whose outcome is unknown.
"""

import hashlib
import http.client
import itertools
import json
import os
import random
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cluster import last, until
from payload import KIB, MIB, digest
from server import BINARY
from wire import target
from workload import listed

SIZES = [16, 100, KIB, 4 * KIB, 4 * KIB, 16 * KIB, 64 * KIB, 64 * KIB + 1, 300 * KIB, MIB, MIB + 1,
         3 * MIB + 17]
ABSENT = "absent"
HOT_KEYS = 6
COLD_KEYS = 150
FRESH_SECONDS = 5.0
LOST = (OSError, EOFError, http.client.HTTPException)
_RANDOM = random.Random(7).randbytes(64 * KIB)
_numbers = itertools.count(1)


def unique(size: int, label: str) -> bytes:
    """Bytes that no other label has, marked in each 64 KiB; at least 16."""
    blocks = []
    for index in range((size + 64 * KIB - 1) // (64 * KIB)):
        blocks.append(hashlib.sha256(f"{label}/{index}".encode()).digest() + _RANDOM[32:])
    return b"".join(blocks)[:size]


@dataclass
class Failure:
    """A request that did not get a proper answer: what it was, through which gateway, and when."""

    gateway: object
    operation: str
    begin: float
    seconds: float
    what: str

    def __str__(self) -> str:
        return (f"{self.operation} by {self.gateway.directory.name} at {self.begin:.3f} "
                f"after {self.seconds:.3f} s: {self.what}")


@dataclass
class Client:
    """One thread. Its `number` in the log changes after each unknown outcome; its keys do not."""

    load: "Load"
    index: int
    turn: int = 0
    number: int = 0
    acknowledged: int = 0
    may_hold: dict[str, set[str]] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    sessions: dict[object, object] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    slow: list[Failure] = field(default_factory=list)

    def __post_init__(self):
        self.number = next(_numbers)

    def run(self) -> None:
        self.log = open(self.load.directory / f"client-{self.index}.jsonl", "a", buffering=1)
        try:
            while not self.load.stopping.is_set():
                self.step()
        except BaseException as error:  # noqa: BLE001 - shown by join()
            self.load.wrong.append(error)
        finally:
            for session in self.sessions.values():
                session.connection.close()
            self.sessions.clear()
            self.log.close()

    def step(self) -> None:
        self.turn += 1
        choose = random.Random(f"{self.load.seed}/{self.index}/{self.turn}")
        gateway = self.gateway(choose)
        if gateway is None:
            self.load.stopping.wait(0.01)
            return
        if choose.random() < self.load.hot:
            key = f"hot/{choose.randrange(HOT_KEYS)}"
            sizes = [size for size in self.load.sizes if size <= 64 * KIB]
        else:
            key, sizes = f"cold/{self.index}/{choose.randrange(COLD_KEYS)}", self.load.sizes
        op = choose.choices(["put", "put-if", "delete", "get", "head"], [35, 12, 6, 35, 12])[0]
        headers, body = {}, None
        if op == "put-if":
            op = "put"
            known = self.etags.get(key)
            headers = {"If-Match": known} if known else {"If-None-Match": "*"}
        if op == "put":
            body = unique(choose.choice(sizes), f"{self.load.seed}/{self.index}/{self.turn}")
        self.request(gateway, op, key, body, headers)

    def gateway(self, choose):
        """One that did not just fail; nil where all did."""
        now = time.monotonic()
        able = [one for one in self.load.gateways if self.load.resting.get(one, 0) <= now]
        return choose.choice(able) if able else None

    def request(self, gateway, op, key, body, headers) -> None:
        after = digest(body) if op == "put" else ABSENT if op == "delete" else None
        before = self.may_hold.get(key, {ABSENT})
        entry = {"client": self.number, "op": op, "bucket": self.load.bucket, "key": key,
                 "start_ns": 0, "end_ns": None, "status": None, "etag": None,
                 "if_match": headers.get("If-Match"), "if_none_match": headers.get("If-None-Match"),
                 "digest": after if op == "put" else None}
        try:
            session = self.session(gateway)
        except LOST as error:  # not even connected: nothing was asked
            self.fail(gateway, op, time.monotonic(), f"connect: {error!r}")
            return
        if after:
            self.may_hold[key] = before | {after}
        begin = time.monotonic()
        entry["start_ns"] = time.monotonic_ns()
        try:
            answer = session.call(op.upper(), target(self.load.bucket, key), body, headers)
        except LOST as error:
            self.fail(gateway, op, begin, repr(error))
            self.unknown(entry, key)
            return
        end_ns = time.monotonic_ns()
        if time.monotonic() - begin > 1:
            self.slow.append(Failure(gateway, op, begin, time.monotonic() - begin, "slow"))
        if answer.status >= 500:
            self.fail(gateway, op, begin, f"{answer.status} {answer.body[:200]!r}", drop=False)
            self.unknown(entry, key)
            return
        self.expect(op, answer, headers)
        entry |= {"end_ns": end_ns, "status": answer.status, "etag": answer.header("ETag")}
        if op == "get" and answer.status == 200:
            entry["digest"] = digest(answer.body)
        self.log.write(json.dumps(entry) + "\n")
        self.learn(op, key, answer, headers, before, after, entry["digest"])

    def session(self, gateway):
        """A connection that is fresh: a server may close one that idles, and one of a process that
        is gone is no use. Neither is the cluster's fault."""
        now, known = time.monotonic(), self.sessions.get(gateway)
        if known and (known.pid != gateway.pid or now - known.used > FRESH_SECONDS):
            self.sessions.pop(gateway).connection.close()
            known = None
        if not known:
            known = self.sessions[gateway] = gateway.place.session(timeout=self.load.timeout)
            known.pid = gateway.pid
        known.used = now
        return known

    def expect(self, op, answer, headers) -> None:
        allowed = {"put": (200, 201), "delete": (204,), "get": (200, 404), "head": (200, 404)}[op]
        if headers:
            allowed += (412,)
        assert answer.status in allowed, (op, headers, answer.status, answer.body[:300])
        if answer.status == 404 and op == "get":
            assert answer.problem == "no-such-object", answer.body

    def learn(self, op, key, answer, condition, before, after, found) -> None:
        """What the answer says about the key; a cold key's must be what this client left there."""
        own = key.startswith("cold/")
        etag = answer.header("ETag")
        if op in ("put", "delete"):
            self.acknowledged += answer.status != 412
            if own and len(before) == 1 and op == "put" and condition:
                due = "If-None-Match" in condition and before != {ABSENT}
                assert (answer.status == 412) == due, (key, condition, before, answer.status)
            if answer.status == 412:
                self.may_hold[key] = before
                self.etags.pop(key, None)
                return
            self.may_hold[key] = {after}
        elif own and (op == "get" or answer.status == 404):
            found = ABSENT if answer.status == 404 else found
            assert found in before, (
                f"{op} of {key}: {answer.status}, {len(answer.body)} bytes; may hold {len(before)} "
                f"states, {'absent among them' if ABSENT in before else 'absent not'}")
        elif own:
            assert before != {ABSENT}, f"HEAD of {key}: {answer.status}; it was deleted"
        if etag and answer.status != 404:
            self.etags[key] = etag
        else:
            self.etags.pop(key, None)

    def fail(self, gateway, op, begin, what, drop=True) -> None:
        self.failures.append(Failure(gateway, op, begin, time.monotonic() - begin, what))
        self.load.resting[gateway] = time.monotonic() + 0.2
        if drop and gateway in self.sessions:
            self.sessions.pop(gateway).connection.close()

    def unknown(self, entry, key) -> None:
        self.etags.pop(key, None)
        self.log.write(json.dumps(entry) + "\n")
        self.number = next(_numbers)


class Load:
    """Clients in threads, on gateways that may change: `gateways` may be replaced at any time."""

    def __init__(self, gateways, bucket, directory, seed, clients=9, sizes=SIZES, timeout=30,
                 hot=0.2):
        self.gateways, self.bucket, self.seed = list(gateways), bucket, seed
        self.sizes, self.timeout, self.hot = sizes, timeout, hot
        self.directory = directory / f"history-{next(_numbers)}"
        self.directory.mkdir(parents=True)
        self.resting: dict[object, float] = {}
        self.wrong: list[BaseException] = []
        self.stopping = threading.Event()
        self.clients = [Client(self, index) for index in range(clients)]
        self.threads: list[threading.Thread] = []

    def __enter__(self):
        self.stopping.clear()
        self.threads = [threading.Thread(target=client.run) for client in self.clients]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.timeout + 60)
        assert not any(thread.is_alive() for thread in self.threads), "a client hangs"
        if exception[0] is None:
            self.check()

    def check(self) -> None:
        assert not self.wrong, f"{len(self.wrong)} clients saw what cannot be: {self.wrong[0]}"

    @property
    def acknowledged(self) -> int:
        return sum(client.acknowledged for client in self.clients)

    def wait_acknowledged(self, more: int, seconds: float = 60) -> None:
        """Lets the load go on until so many more writes were acknowledged."""
        goal = self.acknowledged + more

        def short() -> str | None:
            self.check()
            lacking = goal - self.acknowledged
            return f"{lacking} of {more} writes; {self.failures()[-3:]}" if lacking > 0 else None
        until(short, seconds, interval=0.01)

    def failures(self, excepted=()) -> list[str]:
        """What went wrong through other gateways than these."""
        return [str(one) for client in self.clients for one in client.failures
                if one.gateway not in excepted]

    def slowest(self, excepted=()) -> float:
        """Seconds of the slowest request, 1 where none was slower; failed ones count."""
        return max([one.seconds for client in self.clients for one in client.slow + client.failures
                    if one.gateway not in excepted] + [1.0])

    def may_hold(self) -> dict[str, set[str]]:
        """What each cold key may hold."""
        return {key: values for client in self.clients for key, values in client.may_hold.items()
                if key.startswith("cold/")}

    def keys_held(self) -> list[str]:
        """Cold keys that certainly hold something."""
        return sorted(key for key, values in self.may_hold().items() if ABSENT not in values)

    def files(self) -> list[str]:
        return [str(path) for path in sorted(self.directory.glob("*.jsonl"))]

    # ---- afterwards

    def verify(self, nodes) -> int:
        """Reads every key from every node: it holds what it may hold, and everywhere the same; the
        listings agree. The number of objects there."""
        self.check()
        expected = self.may_hold() | {f"hot/{number}": None for number in range(HOT_KEYS)}
        with ThreadPoolExecutor(len(nodes)) as pool:
            found = list(pool.map(lambda node: self.read(node, expected), nodes))
        for key, values in expected.items():
            for node, states in zip(nodes, found):
                assert values is None or states[key] in values, (
                    f"{node.directory.name}: {key} holds {states[key]}, not one of {values}")
        # A write whose outcome was unknown may have come in between; a second look is the same.
        unsure = {key: None for key, values in expected.items()
                  if values is None or len(values) > 1}
        if unsure:
            with ThreadPoolExecutor(len(nodes)) as pool:
                again = list(pool.map(lambda node: self.read(node, unsure), nodes))
            found = [first | second for first, second in zip(found, again)]
        for node, states in zip(nodes[1:], found[1:]):
            differ = [key for key in expected if states[key] != found[0][key]]
            assert not differ, f"{node.directory.name} differs from the first in {differ[:5]}"
        there = sorted(key for key, state in found[0].items() if state != ABSENT)
        for node in nodes:
            with node.place.session() as session:
                assert listed(session, self.bucket) == there, f"{node.directory.name}'s listing"
        return len(there)

    def read(self, node, keys) -> dict[str, str]:
        """What a node says that the keys hold; in the history, too."""
        states, number = {}, next(_numbers)
        path = self.directory / f"reader-{number}.jsonl"
        with node.place.session() as session, open(path, "w") as log:
            for key in keys:
                start_ns = time.monotonic_ns()
                answer = session.call("GET", target(self.bucket, key))
                assert answer.status in (200, 404), (key, answer.status, answer.body[:300])
                there = answer.status == 200
                states[key] = digest(answer.body) if there else ABSENT
                log.write(json.dumps({
                    "client": number, "op": "get", "bucket": self.bucket, "key": key,
                    "start_ns": start_ns, "end_ns": time.monotonic_ns(), "status": answer.status,
                    "etag": answer.header("ETag"), "if_match": None, "if_none_match": None,
                    "digest": states[key] if there else None}) + "\n")
        return states

    def check_history(self) -> None:
        """`vortex check-history` finds an order in which everything that was seen makes sense."""
        done = subprocess.run([str(BINARY), "check-history", *self.files()],
                              capture_output=True, text=True, timeout=600)
        print(done.stdout[-2000:])
        if done.returncode != 0 and (kept := os.environ.get("VORTEX_E2E_HISTORIES")):
            shutil.copytree(self.directory, Path(kept) / f"{os.getpid()}-{self.directory.name}")
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def load_for(load: Load, seconds: float) -> Load:
    """Runs a load for some time."""
    with load:
        last(seconds)
    return load
