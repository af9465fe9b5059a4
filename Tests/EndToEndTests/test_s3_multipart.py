"""Uploads in parts by Amazon's own SDK, on one node: its transfer manager, and each of its calls."""

import hashlib
import io
import random
import threading

import boto3
import botocore.config
import botocore.exceptions
import pytest
from boto3.s3.transfer import TransferConfig

from server import Server, poll

KEY, SECRET = "VXNATESTTESTTESTTEST", "0123456789abcdefghijklmnopqrstuvwxyzABCD"
MIB = 1 << 20


@pytest.fixture(scope="module")
def store(run_directory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        server = Server(run_directory / "s3-multipart", ["--auth", "keys"]).start()
    poll(lambda: f"access key {KEY}" in server.output(), 30, "the first key is made")
    yield server
    server.kill()


@pytest.fixture(scope="module")
def s3(store):
    return boto3.client(
        "s3", endpoint_url=store.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        region_name="us-east-1", config=botocore.config.Config(retries={"max_attempts": 1}))


_numbers = iter(range(1, 10_000))


@pytest.fixture
def bucket(s3):
    name = f"multipart-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


def content(size: int, number: int = 0) -> bytes:
    return random.Random(number).randbytes(size)


def code(error) -> str:
    return error.value.response["Error"]["Code"]


def tag_of(parts: list[bytes]) -> str:
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(joined).hexdigest()}-{len(parts)}"'


class Upload:
    def __init__(self, s3, bucket, key="k", **settings):
        self.s3 = s3
        self.place = {"Bucket": bucket, "Key": key}
        self.place["UploadId"] = s3.create_multipart_upload(**self.place, **settings)["UploadId"]

    def part(self, number, body, **settings):
        answer = self.s3.upload_part(**self.place, PartNumber=number, Body=body, **settings)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    def complete(self, parts, **settings):
        return self.s3.complete_multipart_upload(
            **self.place, MultipartUpload={"Parts": parts}, **settings)


@pytest.mark.parametrize("size", [8 * MIB, 8 * MIB + 1, 41 * MIB + 77])
def test_the_transfer_manager_sends_parts_and_gets_them_back(s3, store, bucket, size):
    body = content(size)
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=6)
    s3.upload_fileobj(io.BytesIO(body), bucket, "k", Config=config,
                      ExtraArgs={"ContentType": "text/plain", "Metadata": {"a": "b"}})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    parts = [body[start:start + 8 * MIB] for start in range(0, size, 8 * MIB)]
    assert head["ETag"] == tag_of(parts) and head["ContentType"] == "text/plain" and head["Metadata"] == {"a": "b"}
    assert head["ChecksumType"] == "COMPOSITE" and head["ChecksumCRC32"].endswith(f"-{len(parts)}")
    back = io.BytesIO()
    s3.download_fileobj(bucket, "k", back, Config=config)
    assert back.getvalue() == body
    # The same by /v1.
    rest = store.call("GET", f"/v1/objects/{bucket}/k", headers={"Authorization": f"Bearer {KEY}:{SECRET}"})
    assert rest.status == 200 and rest.body == body and rest.headers["ETag"] == head["ETag"]
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=config)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def test_every_call_of_an_upload(s3, bucket):
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    pieces = [content(5 * MIB, 1), content(5 * MIB, 2), content(7, 3)]
    parts = [upload.part(number, piece, ChecksumAlgorithm="SHA256")
             for number, piece in zip([2, 10, 10_000], pieces)]
    assert [one["UploadId"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload.place["UploadId"]]
    listed = s3.list_parts(**upload.place, MaxParts=2)
    assert [one["PartNumber"] for one in listed["Parts"]] == [2, 10] and listed["IsTruncated"]
    pages = s3.get_paginator("list_parts").paginate(**upload.place, PaginationConfig={"PageSize": 1})
    assert [one["Size"] for page in pages for one in page["Parts"]] == [len(piece) for piece in pieces]
    done = upload.complete(parts)
    assert done["ETag"] == tag_of(pieces) and done["ChecksumSHA256"].endswith("-3")
    assert upload.complete(parts)["ETag"] == done["ETag"]
    third = s3.get_object(Bucket=bucket, Key="k", PartNumber=3)
    assert third["Body"].read() == pieces[2] and third["PartsCount"] == 3
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(pieces)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_object_is_copied_in_parts(s3, bucket):
    source = content(12 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=source)
    upload = Upload(s3, bucket)
    parts = []
    for number, (first, last) in enumerate([(3, 6 * MIB), (0, 5 * MIB - 1), (10, 10)], 1):
        copied = s3.upload_part_copy(
            **upload.place, PartNumber=number, CopySource={"Bucket": bucket, "Key": "source"},
            CopySourceRange=f"bytes={first}-{last}")
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    upload.complete(parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() \
        == source[3:6 * MIB + 1] + source[:5 * MIB] + source[10:11]


def test_an_upload_goes_on_after_the_server_was_killed(s3, store, bucket):
    upload = Upload(s3, bucket)
    first, last = content(6 * MIB, 4), content(5, 5)
    parts = [upload.part(1, first)]
    store.kill()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        store.start()
    assert [one["PartNumber"] for one in s3.list_parts(**upload.place)["Parts"]] == [1]
    parts.append(upload.part(2, last))
    upload.complete(parts)
    store.kill()
    store.start()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == first + last


def test_of_two_that_complete_at_once_both_hear_the_same(s3, bucket):
    for round in range(10):
        upload = Upload(s3, bucket, key=f"k{round}")
        parts = [upload.part(1, content(5 * MIB, round)), upload.part(2, b"end")]
        tags = []
        threads = [threading.Thread(target=lambda: tags.append(upload.complete(parts)["ETag"])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(tags) == 4 and len(set(tags)) == 1


def test_complete_and_abort_do_not_both_win(s3, bucket):
    outcomes = set()
    for round in range(20):
        upload = Upload(s3, bucket, key=f"k{round}")
        parts = [upload.part(1, b"whole")]
        won = []

        def attempt(name, call):
            try:
                call()
                won.append(name)
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "NoSuchUpload", error

        threads = [threading.Thread(target=attempt, args=("complete", lambda: upload.complete(parts))),
                   threading.Thread(target=attempt, args=("abort", lambda: s3.abort_multipart_upload(**upload.place)))]
        for thread in threads if round % 2 else reversed(threads):
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1, won
        outcomes.add(won[0])
        there = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        assert (f"k{round}" in there) == (won == ["complete"])
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_racing_conditional_completes_have_one_winner(s3, bucket):
    for round in range(5):
        uploads = [Upload(s3, bucket, key=f"k{round}") for _ in range(6)]
        parts = [[upload.part(1, str(number))] for number, upload in enumerate(uploads)]
        winners, lost = [], []

        def attempt(number):
            try:
                uploads[number].complete(parts[number], IfNoneMatch="*")
                winners.append(number)
            except botocore.exceptions.ClientError as error:
                lost.append(error.response["Error"]["Code"])

        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1 and set(lost) == {"PreconditionFailed"}, (winners, lost)
        assert s3.get_object(Bucket=bucket, Key=f"k{round}")["Body"].read() == str(winners[0]).encode()


def test_refusals_have_amazons_codes(s3, bucket):
    upload = Upload(s3, bucket)
    small = [upload.part(1, b"small"), upload.part(2, b"small too")]
    wrong = {"PartNumber": 1, "ETag": f'"{"0" * 32}"'}
    for call, expected in [
            (lambda: upload.complete(small), "EntityTooSmall"),
            (lambda: upload.complete(small[::-1]), "InvalidPartOrder"),
            (lambda: upload.complete([wrong]), "InvalidPart"),
            (lambda: upload.complete([]), "MalformedXML"),
            (lambda: upload.part(10_001, b""), "InvalidArgument"),
            (lambda: s3.list_parts(Bucket=bucket, Key="other", UploadId=upload.place["UploadId"]), "NoSuchUpload"),
            (lambda: s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId="none"), "NoSuchUpload"),
            (lambda: s3.create_multipart_upload(Bucket="nowhere", Key="k"), "NoSuchBucket")]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            call()
        assert code(error) == expected
    s3.abort_multipart_upload(**upload.place)
    s3.delete_bucket(Bucket=bucket)
