"""boto3 as it comes: checksums, its transfer manager, presigned URLs and forms, many threads."""

import concurrent.futures
import random
import re

import botocore.exceptions
import pytest
import requests
from boto3.s3.transfer import TransferConfig

from clients.files import assert_same, names

FORM_BYTES_MAX = 5_000_000


@pytest.fixture
def s3(store):
    return store.client()


def remove_all(s3, bucket):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
        if keys:
            assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})
    s3.delete_bucket(Bucket=bucket)


def test_its_transfer_manager(store, s3, tree, back):
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.create_bucket(Bucket="boto3-transfer")
    with store.losing_a_node(after=8):
        for name in sorted(names(tree)):
            s3.upload_file(str(tree / name), "boto3-transfer", name, Config=config)
        for name in names(tree):
            (back / name).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file("boto3-transfer", name, str(back / name), Config=config)
    assert_same(tree, back)
    store.assert_holds("boto3-transfer", tree)
    large = s3.head_object(Bucket="boto3-transfer", Key="sub/in parts.bin", ChecksumMode="ENABLED")
    assert large["ETag"].endswith('-5"') and "ChecksumCRC32" in large
    s3.copy({"Bucket": "boto3-transfer", "Key": "sub/in parts.bin"}, "boto3-transfer", "copy", Config=config)
    remove_all(s3, "boto3-transfer")
    store.assert_gone("boto3-transfer")


def test_many_threads_at_once(store, s3):
    s3.create_bucket(Bucket="boto3-threads")

    def job(number):
        body = random.Random(number).randbytes(number * 7_001)
        key = f"k{number:03}"
        s3.put_object(Bucket="boto3-threads", Key=key, Body=body, Metadata={"number": str(number)})
        got = s3.get_object(Bucket="boto3-threads", Key=key)
        assert got["Body"].read() == body and got["Metadata"] == {"number": str(number)}
        if number % 2:
            s3.delete_object(Bucket="boto3-threads", Key=key)

    with store.losing_a_node(after=40), concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(job, range(120)))
    left = [one["Key"] for one in s3.list_objects_v2(Bucket="boto3-threads")["Contents"]]
    assert left == [f"k{number:03}" for number in range(0, 120, 2)]
    remove_all(s3, "boto3-threads")


def test_presigned_urls(store, s3, signer):
    s3.create_bucket(Bucket="boto3-presigned")

    def url(operation, key, **more):
        return signer.generate_presigned_url(
            operation, Params={"Bucket": "boto3-presigned", "Key": key, **more}, ExpiresIn=600)

    with store.losing_a_node():
        for number in range(20):
            body = bytes([number]) * number * 1_000
            put = requests.put(url("put_object", f"a b/{number}"), data=body, timeout=60)
            assert put.status_code == 200, put.text
            got = requests.get(url("get_object", f"a b/{number}", ResponseContentType="a/b"), timeout=60)
            assert got.content == body and got.headers["Content-Type"] == "a/b"
    good = url("get_object", "a b/1")
    forged = good[:-1] + ("0" if good[-1] != "0" else "1")
    assert requests.get(forged, timeout=60).status_code == 403
    assert requests.delete(url("delete_object", "a b/1"), timeout=60).status_code == 204
    with pytest.raises(botocore.exceptions.ClientError):
        s3.head_object(Bucket="boto3-presigned", Key="a b/1")
    remove_all(s3, "boto3-presigned")


def test_presigned_forms(store, signer, bucket):
    # For a key that ends so, boto3 asks in the policy that it starts with up/.
    made = signer.generate_presigned_post(
        bucket, "up/${filename}", Conditions=[["content-length-range", 1, FORM_BYTES_MAX]],
        ExpiresIn=600)

    def send(name, body, **changed):
        return requests.post(
            made["url"], data=made["fields"] | changed, files={"file": (name, body)}, timeout=60)

    def refusal(name, body, **changed):
        answer = send(name, body, **changed)
        return answer.status_code, *re.findall(r"<Code>(\w+)</Code>", answer.text)

    bodies = {
        f"up/{number}": random.Random(number).randbytes(1 + number * 300_000)
        for number in range(12)}
    bodies["up/as large as may be"] = random.Random(12).randbytes(FORM_BYTES_MAX)
    with store.losing_a_node():
        for key, body in bodies.items():
            assert send(key.removeprefix("up/"), body).status_code == 204
    assert send("", b"named by its field", key="up/a b").status_code == 204
    bodies["up/a b"] = b"named by its field"
    assert refusal("large", bytes(FORM_BYTES_MAX + 1)) == (400, "EntityTooLarge")
    assert refusal("much too large", bytes(4 * FORM_BYTES_MAX)) == (400, "EntityTooLarge")
    assert refusal("empty", b"") == (400, "EntityTooSmall")
    assert refusal("elsewhere", b"x", key="down/${filename}") == (403, "AccessDenied")
    for number in (1, 2):
        client = store.client(number)
        found = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
        assert found == sorted(bodies)
    for key, body in bodies.items():
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == body, key
