"""Versions of objects by Amazon's own SDK, through three nodes."""

import concurrent.futures
import threading

import botocore.exceptions
import pytest

from keyed import KEY, SECRET, keyed_cluster
from test_s3_cluster import client

NO_VERSION = "0" * 32


@pytest.fixture(scope="module")
def keyed(run_directory):
    with keyed_cluster(run_directory / "s3-versions") as cluster:
        yield cluster


@pytest.fixture
def clients(keyed):
    return [client(node, (KEY, SECRET)) for node in keyed.nodes]


def make(s3, bucket: str, status: str | None = "Enabled") -> None:
    s3.create_bucket(Bucket=bucket)
    if status:
        keep(s3, bucket, status)


def keep(s3, bucket: str, status: str = "Enabled") -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def versions(s3, bucket: str, size: int = 1000, **settings) -> list[tuple[str, str, bool, bool]]:
    """Key, id, whether it is the newest, whether a delete marker; of all pages, by key and age."""
    found = []
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": size}, **settings)
    for page in pages:
        for kind in ("Versions", "DeleteMarkers"):
            for one in page.get(kind, []):
                found.append((one["Key"], one["LastModified"], one["VersionId"], one["IsLatest"],
                              kind == "DeleteMarkers"))
    found.sort(key=lambda one: one[1], reverse=True)
    found.sort(key=lambda one: one[0])
    return [(key, name, newest, marker) for key, _, name, newest, marker in found]


def refusal(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response


def test_the_life_of_a_version(clients):
    first, second, third = clients
    make(first, "life")
    assert second.get_bucket_versioning(Bucket="life")["Status"] == "Enabled"
    place = {"Bucket": "life", "Key": "k"}
    names = [s3.put_object(**place, Body=body)["VersionId"]
             for s3, body in zip(clients, (b"one", b"two" * 1_000_000, b""))]
    assert len(set(names)) == 3
    for name, body in zip(names, (b"one", b"two" * 1_000_000, b"")):
        for s3 in clients:
            got = s3.get_object(**place, VersionId=name)
            assert got["Body"].read() == body and got["VersionId"] == name
    marker = second.delete_object(**place)
    assert marker["DeleteMarker"] is True
    gone = refusal(third.get_object, **place)
    assert gone["Error"]["Code"] == "NoSuchKey"
    assert gone["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    named = refusal(third.get_object, **place, VersionId=marker["VersionId"])
    assert named["ResponseMetadata"]["HTTPStatusCode"] == 405
    assert refusal(third.get_object, **place, VersionId=NO_VERSION)["Error"]["Code"] == "NoSuchVersion"
    assert refusal(third.get_object, **place, VersionId="x")["Error"]["Code"] == "InvalidArgument"
    assert versions(first, "life", 2) == [
        ("k", marker["VersionId"], True, True), ("k", names[2], False, False),
        ("k", names[1], False, False), ("k", names[0], False, False)]
    assert refusal(first.delete_bucket, Bucket="life")["Error"]["Code"] == "BucketNotEmpty"
    first.copy_object(**place, CopySource={**place, "VersionId": names[0]})
    assert second.get_object(**place)["Body"].read() == b"one"
    for _, name, _, _ in versions(first, "life"):
        third.delete_object(**place, VersionId=name)
    assert versions(first, "life") == []
    first.delete_bucket(Bucket="life")


def test_no_gateway_overwrites_a_version_once_they_are_kept(clients):
    """Each gateway has met the bucket before: what it remembers of it is out of date."""
    for race in range(5):
        bucket = f"stale-{race}"
        make(clients[0], bucket, None)
        for number, s3 in enumerate(clients):
            assert "VersionId" not in s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"before")
        keep(clients[race % 3], bucket)
        for round_ in range(2):
            for number in range(3):
                for s3 in clients:
                    assert s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")["VersionId"] != "null"
        assert [key for key, *_ in versions(clients[1], bucket)] == [f"k{n}" for n in range(3) for _ in range(7)]
        for number in range(3):
            got = clients[2].get_object(Bucket=bucket, Key=f"k{number}", VersionId="null")
            assert got["Body"].read() == b"before"
        keep(clients[0], bucket, "Suspended")
        for s3 in clients:
            assert s3.put_object(Bucket=bucket, Key="k0", Body=b"after")["VersionId"] == "null"
        assert len(versions(clients[0], bucket)) == 21


def test_of_racing_conditional_writes_one_wins_each_round(clients):
    make(clients[0], "races")
    place = {"Bucket": "races", "Key": "k"}
    tag = clients[0].put_object(**place, Body=b"start")["ETag"]
    for race in range(4):
        def put(number):
            try:
                return clients[number % 3].put_object(
                    **place, Body=f"{race} {number}".encode(), IfMatch=tag)
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "PreconditionFailed"
                return None

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            won = [answer for answer in pool.map(put, range(12)) if answer]
        assert len(won) == 1
        tag = won[0]["ETag"]
        assert clients[race % 3].head_object(**place)["VersionId"] == won[0]["VersionId"]
    assert len(versions(clients[1], "races")) == 5
    # Behind a delete marker there is nothing.
    clients[0].delete_object(**place)
    created = clients[1].put_object(**place, Body=b"again", IfNoneMatch="*")
    assert versions(clients[2], "races")[0] == ("k", created["VersionId"], True, False)


def test_a_node_that_was_away_gets_all_versions(keyed, clients):
    make(clients[0], "away")
    place = {"Bucket": "away", "Key": "k"}
    bodies = {clients[0].put_object(**place, Body=b"before")["VersionId"]: b"before"}
    keyed.nodes[2].kill()
    for number in range(30):
        body = f"{number}".encode() * (1 if number % 3 else 5_000)
        bodies[clients[number % 2].put_object(**place, Body=body)["VersionId"]] = body
    gone = next(iter(bodies))
    clients[1].delete_object(**place, VersionId=gone)
    del bodies[gone]
    keyed.nodes[2].start()
    keyed.settle()
    # Now it is needed.
    keyed.nodes[0].kill()
    third = client(keyed.nodes[2], (KEY, SECRET))
    for name, body in bodies.items():
        assert third.get_object(**place, VersionId=name)["Body"].read() == body
    assert {name for _, name, _, _ in versions(third, "away", 7)} == set(bodies)
    bodies[third.put_object(**place, Body=b"last")["VersionId"]] = b"last"
    keyed.nodes[0].start()
    keyed.settle()
    first = client(keyed.nodes[0], (KEY, SECRET))
    assert {name for _, name, _, _ in versions(first, "away")} == set(bodies)


def test_a_bucket_is_emptied_page_by_page(clients):
    """As all tools do it: each page's versions are gone when the next one is asked for."""
    make(clients[0], "emptied")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda n: clients[n % 3].put_object(
                Bucket="emptied", Key=f"dir/{n % 7}", Body=b"x"), range(100)):
            pass
    for number in range(7):
        clients[number % 3].delete_object(Bucket="emptied", Key=f"dir/{number}")
    assert len(versions(clients[0], "emptied", 13)) == 107
    folded = clients[1].list_object_versions(Bucket="emptied", Delimiter="/")
    assert folded["CommonPrefixes"] == [{"Prefix": "dir/"}] and "Versions" not in folded
    pages = clients[1].get_paginator("list_object_versions").paginate(
        Bucket="emptied", PaginationConfig={"PageSize": 9})
    for page in pages:
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        answer = clients[2].delete_objects(Bucket="emptied", Delete={
            "Objects": [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]})
        assert len(answer["Deleted"]) == len(found) and "Errors" not in answer
    assert versions(clients[0], "emptied") == []
    clients[0].delete_bucket(Bucket="emptied")


def test_uploads_in_parts_become_versions_whichever_gateway_completes_them(clients):
    make(clients[0], "parts")
    place = {"Bucket": "parts", "Key": "k"}
    kept = clients[0].put_object(**place, Body=b"small")["VersionId"]
    names, barrier = set(), threading.Barrier(3)
    upload = {**place, "UploadId": clients[0].create_multipart_upload(**place)["UploadId"]}
    tag = clients[1].upload_part(**upload, PartNumber=1, Body=b"x" * 6_000_000)["ETag"]

    def complete(s3):
        barrier.wait()
        return s3.complete_multipart_upload(
            **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})["VersionId"]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        names = set(pool.map(complete, clients))
    assert len(names) == 1
    assert [name for _, name, _, _ in versions(clients[2], "parts")] == [*names, kept]
    clients[1].delete_object(**place, VersionId=names.pop())
    assert clients[2].get_object(**place)["Body"].read() == b"small"
