"""Clients that race for one object by S3's conditional writes, through all nodes of a cluster.

They do as SDKs do: what got no answer, or a 5xx, is sent again with the same `amz-sdk-invocation-id`, here to the
next node, and a write that had won unheard gets its success then: unless 16 others have won since, whose answers
are what the row remembers. Whoever is told 503 and then 412 cannot know, and counts as unsure.
"""

import http.client
import threading
import time
import uuid

from cluster import Cluster
from wire import Answer

# A node that died is gone for good as far as a client knows; the others answer within seconds.
ATTEMPTS_MAX = 60
PAUSE_SECONDS = 0.05


class Racer:
    """One client: a connection to one node at a time, opened when needed."""

    def __init__(self, cluster: Cluster, number: int):
        self.nodes = cluster.nodes
        self.place = number
        self.session = None
        self.unsure = 0

    def close(self) -> None:
        if self.session:
            self.session.connection.close()
            self.session = None

    def send(self, method: str, path: str, body: bytes | None = None, headers=None) -> Answer:
        """The first answer that is none of a server's trouble."""
        headers = {**(headers or {}), "amz-sdk-invocation-id": str(uuid.uuid4())}
        last = None
        for attempt in range(ATTEMPTS_MAX):
            try:
                if not self.session:
                    self.session = self.nodes[self.place % len(self.nodes)].place.session(30)
                last = self.session.call(method, path, body, headers)
                if last.status < 500:
                    self.unsure += last.status == 412 and attempt > 0
                    return last
            except (OSError, http.client.HTTPException) as error:
                last = error
            self.close()
            self.place += 1
            time.sleep(PAUSE_SECONDS)
        raise AssertionError(f"{method} {path}: {last} after {ATTEMPTS_MAX} attempts")

    def create(self, path: str, body: bytes) -> bool:
        """Whether it was this one's."""
        answer = self.send("PUT", path, body, {"If-None-Match": "*"})
        assert answer.status in (200, 412), (answer.status, answer.body[:500])
        return answer.status == 200

    def increment(self, path: str) -> int:
        """Until it has counted by one; how many attempts were beaten by others."""
        beaten = 0
        while True:
            got = self.send("GET", path)
            assert got.status == 200, (got.status, got.body[:500])
            more = str(int(got.body) + 1).encode()
            put = self.send("PUT", path, more, {"If-Match": got.header("ETag")})
            if put.status == 200:
                return beaten
            assert put.status == 412, (put.status, put.body[:500])
            beaten += 1


def at_once(cluster: Cluster, count: int, job) -> list:
    """So many clients begin at the same moment, each with `job(racer, number)`; what each returned."""
    barrier = threading.Barrier(count)
    results, failures = [None] * count, []

    def run(number: int) -> None:
        racer = Racer(cluster, number)
        try:
            barrier.wait()
            results[number] = job(racer, number)
        except Exception as error:  # every failure is the test's, whatever it is
            failures.append(error)
        finally:
            racer.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def count_together(
        cluster: Cluster, path: str, writers: int, increments: int, progress=None) -> tuple[int, int]:
    """The writers share so many increments of the object; how many attempts were beaten, and unsure."""
    left, lock, beaten = [increments], threading.Lock(), []

    def job(racer: Racer, number: int) -> int:
        while True:
            with lock:
                if left[0] == 0:
                    return racer.unsure
                left[0] -= 1
            beaten.append(racer.increment(path))
            if progress:
                progress(len(beaten))

    unsure = sum(at_once(cluster, writers, job))
    return sum(beaten), unsure
