"""S3 and access keys over three nodes: each sees what the others wrote, also when one has died."""

import concurrent.futures
import hashlib
import random
import threading
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

from keyed import KEY, SECRET, keyed_cluster
from server import poll

SECONDS_UNTIL_REVOKED = 5.0


@pytest.fixture(scope="module")
def keyed(run_directory):
    with keyed_cluster(run_directory / "s3-cluster") as cluster:
        yield cluster


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


def test_parts_go_through_all_nodes_and_on_when_one_dies(keyed, admin):
    """120 parts in parallel through three gateways, one of which is killed on the way."""
    clients = [client(node, admin) for node in keyed.nodes]
    clients[0].create_bucket(Bucket="in-parts")
    place = {"Bucket": "in-parts", "Key": "k"}
    place["UploadId"] = clients[0].create_multipart_upload(**place)["UploadId"]
    generator = random.Random(5)
    pieces = [generator.randbytes(5 << 20) for _ in range(4)]
    sizes = [5 << 20 if number % 3 else (5 << 20) + number for number in range(119)] + [17]
    bodies = [(pieces[number % 4] + b"x" * number)[:size] for number, size in enumerate(sizes)]
    sent = threading.Semaphore(0)

    def send(number):
        # As a client does that knows all three: to another one where one is gone.
        for attempt in range(10):
            try:
                answer = clients[(number + attempt) % 3].upload_part(
                    **place, PartNumber=number + 1, Body=bodies[number])
                sent.release()
                return {"PartNumber": number + 1, "ETag": answer["ETag"]}
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                last = error
        raise last

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        futures = [pool.submit(send, number) for number in range(120)]
        for _ in range(40):
            sent.acquire(timeout=60)
        keyed.nodes[2].kill()
        parts = [future.result(timeout=300) for future in futures]
    listed = [one for page in clients[1].get_paginator("list_parts").paginate(**place, PaginationConfig={"PageSize": 50})
              for one in page["Parts"]]
    assert [(one["PartNumber"], one["ETag"]) for one in listed] == [(one["PartNumber"], one["ETag"]) for one in parts]
    done = clients[1].complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
    assert done["ETag"] == clients[0].complete_multipart_upload(**place, MultipartUpload={"Parts": parts})["ETag"]
    keyed.nodes[2].start()
    expected = hashlib.md5(b"".join(bodies)).hexdigest()
    for reader in (clients[0], client(keyed.nodes[2], admin)):
        digest = hashlib.md5()
        for chunk in reader.get_object(Bucket="in-parts", Key="k")["Body"].iter_chunks(1 << 20):
            digest.update(chunk)
        assert digest.hexdigest() == expected


def test_completes_and_aborts_race_through_different_gateways(keyed, admin):
    clients = [client(node, admin) for node in keyed.nodes]
    clients[0].create_bucket(Bucket="part-races")
    for race in range(12):
        place = {"Bucket": "part-races", "Key": f"k{race}"}
        place["UploadId"] = clients[0].create_multipart_upload(**place)["UploadId"]
        tag = clients[1].upload_part(**place, PartNumber=1, Body=b"whole")["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        won, tags = [], []

        def complete(number):
            try:
                tags.append(clients[number].complete_multipart_upload(**place, MultipartUpload=parts)["ETag"])
                won.append("complete")
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "NoSuchUpload", error

        def abort():
            try:
                clients[2].abort_multipart_upload(**place)
                won.append("abort")
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "NoSuchUpload", error

        threads = [threading.Thread(target=complete, args=(0,)), threading.Thread(target=complete, args=(1,))]
        if race % 3:
            threads.insert(race % 2, threading.Thread(target=abort))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(won)) == 1 and len(set(tags)) <= 1, won
        keys = [one["Key"] for one in clients[2].list_objects_v2(Bucket="part-races").get("Contents", [])]
        assert (f"k{race}" in keys) == ("complete" in won)
