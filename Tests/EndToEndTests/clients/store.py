"""Three nodes with keys. One is killed while a client is at work, and started again afterwards."""

import hashlib
import itertools
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from clients.files import names
from keyed import KEY, SECRET, KeyedCluster

# The dead node stays so until the job is over, which may take this long.
JOB_SECONDS = 600.0
REQUESTS = re.compile(r"^vortex_http_requests_total\{.*\} (\d+)$", re.MULTILINE)


class Store:
    """What a client is told: one address, and a key. The other two nodes die in turns."""

    def __init__(self, cluster: KeyedCluster):
        self.cluster = cluster
        self.victims = itertools.cycle(cluster.nodes[1:])
        self.questions = 0

    @property
    def url(self) -> str:
        return self.cluster.nodes[0].url

    @property
    def host(self) -> str:
        place = self.cluster.nodes[0].place
        return f"{place.host}:{place.port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true"}

    def client(self, number: int = 0):
        """boto3 at the node of that number, for what a test looks at beside its client."""
        import boto3
        return boto3.client(
            "s3", endpoint_url=self.cluster.nodes[number].url, aws_access_key_id=KEY,
            aws_secret_access_key=SECRET, region_name="us-east-1")

    def answered(self) -> int:
        """How many requests the client's node has answered, without those of this question."""
        answer = self.cluster.nodes[0].call("GET", "/v1/metrics")
        assert answer.status == 200, answer.status
        total = sum(int(count) for count in REQUESTS.findall(answer.body.decode()))
        self.questions += 1
        return total - (self.questions - 1)

    @contextmanager
    def losing_a_node(self, after: int = 4):
        """Kills a node as soon as the job within has had so many answers; it lives again at the end.

        Fails when the job was over before that, or when nothing was asked afterwards.
        """
        victim = next(self.victims)
        begin, over = self.answered(), threading.Event()
        killed: list[int] = []

        def kill() -> None:
            deadline = time.monotonic() + JOB_SECONDS
            while not over.is_set() and time.monotonic() < deadline:
                count = self.answered()
                if count - begin >= after:
                    victim.kill()
                    killed.append(count)
                    return
                time.sleep(0.01)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            yield victim
        finally:
            over.set()
            killer.join()
            end = self.answered()
            self.cluster.restart()
        assert killed, f"the job had {end - begin} answers, none was killed after {after}"
        assert end > killed[0], "nothing was asked of the nodes that lived on"

    def heal(self) -> None:
        """Until all nodes are there and have everything."""
        self.cluster.restart()
        self.cluster.settle()

    def assert_holds(self, bucket: str, tree: Path, prefix: str = "") -> None:
        """The bucket has these files below the prefix, each with these bytes, by the other nodes."""
        for number in (1, 2):
            client = self.client(number)
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
            found = {key.removeprefix(prefix) for key in keys if not key.endswith("/")}
            assert found == names(tree), found ^ names(tree)
        for name in names(tree):
            digest = hashlib.md5()
            for chunk in client.get_object(Bucket=bucket, Key=prefix + name)["Body"].iter_chunks(1 << 20):
                digest.update(chunk)
            assert digest.digest() == hashlib.md5((tree / name).read_bytes()).digest(), name

    def assert_gone(self, bucket: str) -> None:
        """No node knows the bucket any more."""
        for number in range(3):
            there = [one["Name"] for one in self.client(number).list_buckets()["Buckets"]]
            assert bucket not in there, there
