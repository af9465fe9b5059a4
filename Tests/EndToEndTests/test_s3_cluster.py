"""S3 and access keys over three nodes: each sees what the others wrote, also when one has died."""

import threading
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

from cluster import Cluster, Node, remove
from server import poll

KEY, SECRET = "VXNATESTTESTTESTTEST", "0123456789abcdefghijklmnopqrstuvwxyzABCD"
SECONDS_UNTIL_REVOKED = 5.0


class KeyedCluster(Cluster):
    """Every node asks for keys; the first key is the environment's."""

    def make(self, number: int, join: str | None) -> Node:
        node = super().make(number, join)
        node.place.defaults = {"Authorization": f"Bearer {KEY}:{SECRET}"}
        return node

    def settle(self, *arguments, **settings) -> None:
        for node in self.nodes:
            if node.alive:
                poll(lambda: node.call("GET", "/v1/buckets").status == 200, 60, "the key is known")
        super().settle(*arguments, **settings)


@pytest.fixture(scope="module")
def keyed(run_directory):
    directory = run_directory / "s3-cluster"
    with pytest.MonkeyPatch.context() as patch, KeyedCluster(directory, ["--auth", "keys"]) as cluster:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        yield cluster.start(3)
    remove(directory)


@pytest.fixture
def admin(keyed):
    """The first key; the node that made the cluster says so, and no other does."""
    told = [node for node in keyed.nodes if f"access key {KEY}" in node.output()]
    assert told == keyed.nodes[:1]
    return KEY, SECRET


def client(node, key, **settings):
    settings.setdefault("retries", {"max_attempts": 8, "mode": "standard"})
    return boto3.client(
        "s3", endpoint_url=node.url, aws_access_key_id=key[0], aws_secret_access_key=key[1],
        region_name="us-east-1", config=botocore.config.Config(**settings))


def test_every_gateway_knows_the_key_and_sees_what_another_wrote(keyed, admin):
    first, second, third = (client(node, admin) for node in keyed.nodes)
    first.create_bucket(Bucket="everywhere")
    for size in (10, 3_000_000):
        tag = first.put_object(Bucket="everywhere", Key=f"k{size}", Body=b"x" * size)["ETag"]
        for reader in (second, third):
            got = reader.get_object(Bucket="everywhere", Key=f"k{size}")
            assert got["Body"].read() == b"x" * size and got["ETag"] == tag
            assert f"k{size}" in [entry["Key"] for entry in
                                  reader.list_objects_v2(Bucket="everywhere")["Contents"]]


def test_of_racing_creations_through_all_gateways_one_wins(keyed, admin):
    clients = [client(node, admin) for node in keyed.nodes]
    clients[0].create_bucket(Bucket="races")
    for race in range(5):
        winners, lost = [], []

        def put(number):
            try:
                clients[number % 3].put_object(
                    Bucket="races", Key=f"k{race}", Body=str(number), IfNoneMatch="*")
                winners.append(number)
            except botocore.exceptions.ClientError as error:
                lost.append(error.response["Error"]["Code"])

        threads = [threading.Thread(target=put, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1 and set(lost) == {"PreconditionFailed"}, (winners, lost)
        for reader in clients:
            assert reader.get_object(Bucket="races", Key=f"k{race}")["Body"].read() \
                == str(winners[0]).encode()


def test_a_revoked_key_is_refused_by_every_gateway_in_time(keyed, admin):
    made = keyed.nodes[0].call("POST", "/v1/keys?grants=admin:*").json()
    key = (made["id"], made["secret"])
    for node in keyed.nodes:
        client(node, key).list_buckets()
    assert keyed.nodes[0].call("DELETE", f"/v1/keys/{key[0]}").status == 204
    revoked = time.monotonic()

    def is_refused(node):
        try:
            client(node, key, retries={"max_attempts": 1}).list_buckets()
            return False
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"] == "InvalidAccessKeyId"

    assert is_refused(keyed.nodes[0])
    for node in keyed.nodes:
        poll(lambda: is_refused(node), SECONDS_UNTIL_REVOKED + 5, "refused", interval=0.2)
    # A busy machine answers late; the bound itself is `KeyRing`'s, and tested with a clock there.
    assert time.monotonic() - revoked < SECONDS_UNTIL_REVOKED + 5


def test_reads_and_writes_go_on_when_a_node_dies(keyed, admin):
    keyed.nodes[2].kill()
    first, second = (client(node, admin) for node in keyed.nodes[:2])
    first.create_bucket(Bucket="survivors")
    for number in range(20):
        first.put_object(Bucket="survivors", Key=f"k{number}", Body=str(number))
    for number in range(20):
        got = second.get_object(Bucket="survivors", Key=f"k{number}")
        assert got["Body"].read() == str(number).encode()
    assert len(second.list_objects_v2(Bucket="survivors")["Contents"]) == 20
    keyed.nodes[2].start()
    assert len(client(keyed.nodes[2], admin).list_objects_v2(Bucket="survivors")["Contents"]) == 20
