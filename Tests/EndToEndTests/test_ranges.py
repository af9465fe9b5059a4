"""RFC 9110, section 14: parts of an object, one or several."""

import email.message
import email.policy
import email.utils
import random
import time

import pytest

from payload import MIB, seeded
from wire import assert_problem, target

SIZE = 2 * MIB + 77_777


@pytest.fixture(scope="module")
def whole():
    return seeded(SIZE, "ranges")


@pytest.fixture
def path(server, bucket, whole):
    server.call("PUT", target(bucket, "r"), whole, {"Content-Type": "text/plain"})
    return target(bucket, "r")


@pytest.mark.parametrize("text, first, last", [
    ("0-0", 0, 0), ("0-", 0, SIZE - 1), ("-1", SIZE - 1, SIZE - 1), ("5-9", 5, 9),
    (f"{SIZE - 1}-", SIZE - 1, SIZE - 1), ("0-99999999999", 0, SIZE - 1),
    (f"-{SIZE * 2}", 0, SIZE - 1), ("65535-65536", 65535, 65536),
    (f"{MIB - 1}-{MIB}", MIB - 1, MIB), (f"{MIB}-{2 * MIB}", MIB, 2 * MIB),
    ("10-18446744073709551615", 10, SIZE - 1), ("7-99999999999999999999999", 7, SIZE - 1),
])
def test_a_range_is_that_part(server, path, whole, text, first, last):
    answer = server.call("GET", path, headers={"Range": f"bytes={text}"})
    assert answer.status == 206
    assert answer.header("Content-Range") == f"bytes {first}-{last}/{SIZE}"
    assert answer.header("Content-Length") == str(last - first + 1)
    assert answer.header("Content-Type") == "text/plain"
    assert answer.body == whole[first:last + 1]


def test_random_ranges_are_those_parts(server, path, whole, seed):
    random_ = random.Random(seed)
    with server.place.session() as session:
        for _ in range(200):
            first = random_.randrange(SIZE)
            last = min(SIZE - 1, first + random_.choice([0, 1, 1000, 65_536, MIB, SIZE]))
            answer = session.call("GET", path, headers={"Range": f"bytes={first}-{last}"})
            assert answer.status == 206 and answer.body == whole[first:last + 1], (first, last)


@pytest.mark.parametrize("text", [f"{SIZE}-", f"{SIZE}-{SIZE + 1}", "-0", "99999999999999999999-"])
def test_a_range_beyond_the_end_is_416(server, path, text):
    answer = server.call("GET", path, headers={"Range": f"bytes={text}"})
    assert_problem(answer, 416)
    assert answer.header("Content-Range") == f"bytes */{SIZE}"


@pytest.mark.parametrize("text", ["bytes=9-5", "bytes=a-b", "lines=0-5", "bytes=", "bytes", "bytes=--1"])
def test_a_range_that_is_none_is_ignored(server, path, whole, text):
    answer = server.call("GET", path, headers={"Range": text})
    assert answer.status == 200 and answer.body == whole


def test_a_range_of_an_empty_object_is_416(server, bucket):
    server.call("PUT", target(bucket, "empty"), b"")
    answer = server.call("GET", target(bucket, "empty"), headers={"Range": "bytes=0-"})
    assert answer.status == 416 and answer.header("Content-Range") == "bytes */0"


def parts(answer) -> list[tuple[str, str, bytes]]:
    """(Content-Range, Content-Type, bytes) of each part, read by the boundary."""
    message = email.message.Message(policy=email.policy.HTTP)
    message["Content-Type"] = answer.header("Content-Type")
    assert message.get_content_type() == "multipart/byteranges"
    boundary = message.get_param("boundary").encode()
    pieces = answer.body.split(b"--" + boundary)
    assert pieces[0] in (b"", b"\r\n") and pieces[-1].startswith(b"--")
    result = []
    for piece in pieces[1:-1]:
        assert piece.startswith(b"\r\n") and piece.endswith(b"\r\n")
        head, _, data = piece[2:-2].partition(b"\r\n\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in
                  (line.partition(":") for line in head.decode().split("\r\n"))}
        result.append((fields["content-range"], fields["content-type"], data))
    return result


def test_several_ranges_are_a_multipart(server, path, whole):
    wanted = [(0, 9), (MIB - 5, MIB + 5), (100, 70_000), (SIZE - 3, SIZE - 1)]
    text = "0-9, 1048571-1048581,100-70000 ,-3"
    answer = server.call("GET", path, headers={"Range": f"bytes={text}"})
    assert answer.status == 206
    assert int(answer.header("Content-Length")) == len(answer.body)
    assert answer.header("Content-Range") is None
    assert parts(answer) == [
        (f"bytes {first}-{last}/{SIZE}", "text/plain", whole[first:last + 1])
        for first, last in wanted]


def test_of_several_ranges_those_beyond_the_end_are_left_out(server, path, whole):
    answer = server.call("GET", path, headers={"Range": f"bytes=0-1,{SIZE}-,500-506"})
    assert answer.status == 206
    assert [part[2] for part in parts(answer)] == [whole[0:2], whole[500:507]]


def test_overlapping_ranges_send_no_byte_twice(server, path, whole):
    answer = server.call("GET", path, headers={"Range": "bytes=0-99,50-199,150-249"})
    assert answer.status == 206
    assert answer.header("Content-Range") == f"bytes 0-249/{SIZE}" and answer.body == whole[:250]


def test_ten_thousand_ranges_do_not_multiply_the_body(server, path):
    text = "bytes=" + ",".join("0-" for _ in range(1500))
    answer = server.call("GET", path, headers={"Range": text})
    assert answer.status in (200, 206, 400, 416, 431)
    assert len(answer.body) <= 2 * SIZE, "a small request must not ask for 3 GB"


def test_if_range_gives_the_part_of_the_same_version_only(server, path, whole):
    head = server.call("HEAD", path)
    old = email.utils.formatdate(time.time() - 9999, usegmt=True)
    for value, status in [(head.header("ETag"), 206), ('"other"', 200),
                          ("W/" + head.header("ETag"), 200), (old, 200)]:
        answer = server.call("GET", path, headers={"Range": "bytes=1-2", "If-Range": value})
        assert answer.status == status, value
        assert answer.body == (whole[1:3] if status == 206 else whole)


def test_a_condition_goes_before_the_range(server, path):
    tag = server.call("HEAD", path).header("ETag")
    for headers, status in [({"If-None-Match": tag}, 304), ({"If-Match": '"x"'}, 412)]:
        answer = server.call("GET", path, headers={"Range": "bytes=0-0", **headers})
        assert answer.status == status


def test_head_ignores_the_range(server, path):
    answer = server.call("HEAD", path, headers={"Range": "bytes=0-0"})
    assert answer.status == 200 and answer.header("Content-Length") == str(SIZE)
