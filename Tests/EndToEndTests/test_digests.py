"""RFC 9530 and Content-MD5: an upload that is not what its sender says stores nothing."""

import base64
import hashlib

import pytest

from payload import MIB, blocks, seeded
from wire import assert_problem, target


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def sha(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


HEADERS = [("Content-MD5", md5), ("Content-Digest", sha), ("Repr-Digest", sha)]


@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 1])
@pytest.mark.parametrize("name, of", HEADERS)
def test_a_matching_digest_is_stored(server, bucket, name, of, size):
    data = seeded(size)
    assert server.call("PUT", target(bucket, "d"), data, {name: of(data)}).status == 201
    assert server.call("GET", target(bucket, "d")).body == data


@pytest.mark.parametrize("coding", ["content-length", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 1])
@pytest.mark.parametrize("name, of", HEADERS)
def test_a_digest_that_does_not_match_stores_nothing(server, bucket, name, of, size, coding):
    server.call("PUT", target(bucket, "d"), b"before")
    body = iter([seeded(size)]) if coding == "chunked" and size else seeded(size)
    answer = server.call("PUT", target(bucket, "d"), body, {name: of(seeded(size) + b"!")})
    assert_problem(answer, 400, "digest-mismatch")
    assert server.call("GET", target(bucket, "d")).body == b"before"
    listed = server.call("GET", "/v1/uploads").json()["uploads"]
    assert not [upload for upload in listed if upload["bucket"] == bucket], "left behind"


@pytest.mark.parametrize("name, value", [
    ("Content-MD5", "not base64!"), ("Content-MD5", "AAAA"), ("Content-Digest", "sha-256=abc"),
    ("Repr-Digest", "sha-256=:AAAA:"),
])
def test_a_digest_that_is_none_is_refused(server, bucket, name, value):
    assert_problem(server.call("PUT", target(bucket, "d"), b"data", {name: value}), 400)
    assert server.call("GET", target(bucket, "d")).status == 404


def test_an_unknown_algorithm_beside_a_known_one_is_ignored(server, bucket):
    both = f"unixsum=:MTIz:, {sha(b'data')}"
    assert server.call("PUT", target(bucket, "d"), b"data", {"Content-Digest": both}).status == 201
    wrong = f"unixsum=:MTIz:, {sha(b'other')}"
    answer = server.call("PUT", target(bucket, "d"), b"data", {"Content-Digest": wrong})
    assert_problem(answer, 400, "digest-mismatch")


def test_all_digests_are_checked_not_only_the_first(server, bucket):
    data = b"".join(blocks(2 * MIB))
    good = {"Content-MD5": md5(data), "Repr-Digest": sha(data), "Content-Digest": sha(data)}
    for name, of in HEADERS:
        answer = server.call("PUT", target(bucket, "d"), data, {**good, name: of(b"other")})
        assert_problem(answer, 400, "digest-mismatch")
    assert server.call("PUT", target(bucket, "d"), data, good).status == 201
