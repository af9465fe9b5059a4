"""Clients that put and delete at full speed and remember what they were told.

Every client owns its keys and has one request in flight, so what may be under a key is known exactly: the last
acknowledged state, or, where the answer to the last request was lost, that request's state.
"""

import http.client
import random
import threading
from dataclasses import dataclass, field
from urllib.parse import quote

from payload import KIB, MIB, digest, seeded
from wire import target

SIZES = [0, 1, 100, 4 * KIB, 4 * KIB, 4 * KIB, 64 * KIB, 64 * KIB + 1, 300 * KIB, MIB, MIB + 1, 3 * MIB + 17]
ABSENT = "absent"


@dataclass
class Client:
    """One client's keys: what each may hold, as digests; ABSENT for nothing."""

    number: int
    seed: int
    sizes: list[int]
    keys: int = 25
    may_hold: dict[str, set[str]] = field(default_factory=dict)
    acknowledged: int = 0
    turn: int = 0
    refused: list[int] = field(default_factory=list)

    def step(self, session, bucket: str) -> None:
        """One PUT or DELETE. Raises when its answer is lost, with both outcomes remembered."""
        self.turn += 1
        choose = random.Random(f"{self.seed}/{self.number}/{self.turn}")
        key = f"client-{self.number}/key-{choose.randrange(self.keys)}"
        before = self.may_hold.get(key, {ABSENT})
        if choose.random() < 0.1:
            after, method, body = ABSENT, "DELETE", None
        else:
            body = seeded(choose.choice(self.sizes), f"{self.number}/{self.turn}")
            after, method = digest(body), "PUT"
        self.may_hold[key] = before | {after}
        answer = session.call(method, target(bucket, key), body)
        if answer.status in (200, 201, 204):
            self.may_hold[key] = {after}
            self.acknowledged += 1
        elif answer.status in (503, 507):
            self.refused.append(answer.status)  # 503 may mean that the outcome is not known
        else:
            raise AssertionError((answer.status, answer.body[:300]))


LOST = (OSError, EOFError, http.client.HTTPException)


class Workload:
    """Clients in threads until they are stopped or the server is gone."""

    def __init__(self, server, bucket: str, clients: int, seed: int, sizes=SIZES):
        self.server, self.bucket = server, bucket
        self.clients = [Client(number, seed, list(sizes)) for number in range(clients)]
        self.wrong: list[BaseException] = []
        self.stopping = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self) -> None:
        self.stopping.clear()
        self.threads = [threading.Thread(target=self._run, args=[client]) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def _run(self, client: Client) -> None:
        try:
            with self.server.place.session(timeout=30) as session:
                while not self.stopping.is_set():
                    client.step(session, self.bucket)
        except LOST:
            pass  # the server is gone, or went while we waited
        except BaseException as error:  # noqa: BLE001 - shown by verify()
            self.wrong.append(error)

    def join(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    @property
    def acknowledged(self) -> int:
        return sum(client.acknowledged for client in self.clients)

    def verify(self) -> int:
        """Reads every key: it holds what it may hold, and from now on that. The number of objects there."""
        assert not self.wrong, self.wrong[0]
        there = []
        with self.server.place.session() as session:
            for client in self.clients:
                for key, may_hold in client.may_hold.items():
                    answer = session.call("GET", target(self.bucket, key))
                    found = ABSENT if answer.status == 404 else digest(answer.body)
                    assert answer.status in (200, 404), (key, answer.status, answer.body[:300])
                    assert found in may_hold, (
                        f"{key}: {answer.status}, {len(answer.body)} bytes; may hold {len(may_hold)} states, "
                        f"{'absent among them' if ABSENT in may_hold else 'absent not'}")
                    client.may_hold[key] = {found}
                    if found != ABSENT:
                        there.append(key)
            assert listed(session, self.bucket) == sorted(there), "the listing and the objects differ"
        return len(there)


def listed(session, bucket: str) -> list[str]:
    keys, after = [], ""
    while True:
        page = session.call("GET", f"/v1/objects/{bucket}{after}").json()
        keys += [entry["key"] for entry in page["objects"]]
        if page["next"] is None:
            return keys
        after = f"?after={quote(page['next'], safe='')}"
