"""Every error is a problem (RFC 9457) with a stable type, the status that HTTP means, and the request's id."""

import json
import re
import socket

import pytest

from payload import MIB
from server import poll
from wire import PROBLEM_PREFIX, assert_problem, read_all, read_head, status_of, talk, target


def body_of(received: bytes) -> dict:
    return json.loads(received.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("method, path, status, slug", [
    ("GET", "/v1/objects/{b}/absent", 404, "no-such-object"),
    ("GET", "/v1/objects/absent-bucket/k", 404, "no-such-bucket"),
    ("PUT", "/v1/objects/absent-bucket/k", 404, "no-such-bucket"),
    ("DELETE", "/v1/objects/absent-bucket/k", 404, "no-such-bucket"),
    ("GET", "/v1/buckets/absent-bucket", 404, "no-such-bucket"),
    ("DELETE", "/v1/buckets/absent-bucket", 404, "no-such-bucket"),
    ("GET", "/v1/uploads/" + "0" * 32, 404, "no-such-upload"),
    ("GET", "/v1/placement/{b}/absent", 404, "no-such-object"),
    ("GET", "/v1/nothing", 404, None),
    ("GET", "/v1", 404, None),
    ("GET", "/v2/objects/{b}/k", 404, None),
    ("PUT", "/v1/buckets/UPPER", 400, "invalid-bucket-name"),
    ("PUT", "/v1/objects/{b}/%zz", 400, None),
    ("PUT", "/v1/objects/{b}/%ff", 400, None),
    ("GET", "/v1/objects/{b}?limit=x", 400, None),
])
def test_an_error_is_a_problem(server, bucket, method, path, status, slug):
    body = b"x" if "objects" in path and method == "PUT" else None
    assert_problem(server.call(method, path.format(b=bucket), body), status, slug)


@pytest.mark.parametrize("path, allowed", [
    ("/v1/objects/{b}/k", {"GET", "HEAD", "PUT", "DELETE"}),
    ("/v1/objects/{b}", {"GET", "HEAD"}),
    ("/v1/buckets/{b}", {"GET", "HEAD", "PUT", "DELETE"}),
    ("/v1/buckets", {"GET", "HEAD"}),
    ("/v1/uploads", {"GET", "HEAD", "POST"}),
    ("/v1/uploads/" + "0" * 32, {"GET", "HEAD", "PATCH", "DELETE"}),
    ("/v1/uploads/" + "0" * 32 + "/complete", {"POST"}),
    ("/v1/status", {"GET", "HEAD"}),
    ("/v1/metrics", {"GET", "HEAD"}),
    ("/v1/health/live", {"GET", "HEAD"}),
    ("/v1/health/ready", {"GET", "HEAD"}),
    ("/v1/placement/{b}/k", {"GET", "HEAD"}),
])
def test_a_method_that_is_not_there_is_405_with_allow(server, bucket, path, allowed):
    for method in ("GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        answer = server.call(method, path.format(b=bucket), headers={"Upload-Offset": "0"})
        if method in allowed:
            assert answer.status != 405, method
            continue
        if answer.status == 501 and method in ("TRACE", "PROPFIND"):
            continue
        if method == "OPTIONS" and answer.status in (200, 204):
            assert answer.header("Allow")
            continue
        assert_problem(answer, 405, "method-not-allowed")
        named = {word.strip() for word in answer.header("Allow").split(",")}
        assert named - {"HEAD", "OPTIONS"} == allowed - {"HEAD"}, method


def test_a_put_without_a_length_is_411(server, bucket):
    received = talk(server.place, f"PUT {target(bucket, 'k')} HTTP/1.1\r\nHost: v\r\n"
                                  "Connection: close\r\n\r\n".encode())
    assert status_of(received) == 411, received[:200]
    assert body_of(received)["type"].startswith(PROBLEM_PREFIX)


def test_an_object_beyond_the_limit_is_413_before_its_body(server, bucket):
    head = (f"PUT {target(bucket, 'k')} HTTP/1.1\r\nHost: v\r\nContent-Length: {6 << 40}\r\n"
            "Expect: 100-continue\r\n\r\n").encode()
    with server.place.connect() as connection:
        connection.sendall(head)
        assert status_of(read_head(connection)) == 413


@pytest.mark.parametrize("headers", [
    {f"x-vortex-meta-{number}": "x" * 900 for number in range(12)}, {"x-vortex-meta-a": "x" * 9000},
])
def test_too_much_metadata_is_431(server, bucket, headers):
    answer = server.call("PUT", target(bucket, "k"), b"x", headers)
    assert answer.status in (400, 431), answer.status
    assert_problem(answer, answer.status)
    assert server.call("GET", target(bucket, "k")).status == 404


def test_huge_headers_are_431(server):
    received = talk(server.place, b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\nX: " + b"x" * (2 * MIB)
                    + b"\r\n\r\n")
    assert status_of(received) in (431, None), received[:100]
    received = talk(server.place, b"GET /" + b"x" * (2 * MIB) + b" HTTP/1.1\r\nHost: v\r\n\r\n")
    assert status_of(received) in (414, 431, 400, None), received[:100]


def test_an_expectation_that_is_unknown_is_417(server, bucket):
    answer = server.call("PUT", target(bucket, "k"), b"x", {"Expect": "200-ok"})
    assert_problem(answer, 417)


def put_expecting(server, path, length, headers=""):
    connection = server.place.connect()
    connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: v\r\nContent-Length: {length}\r\n"
                       f"Expect: 100-continue\r\n{headers}\r\n".encode())
    return connection


def test_100_continue_comes_before_the_body(server, bucket):
    with put_expecting(server, target(bucket, "k"), 5) as connection:
        assert status_of(read_head(connection)) == 100
        connection.sendall(b"12345")
        assert status_of(read_head(connection)) == 201
    assert server.call("GET", target(bucket, "k")).body == b"12345"


@pytest.mark.parametrize("path, headers, status", [
    ("/v1/objects/absent-bucket/k", "", 404),
    ("/v1/objects/{b}/there", "If-None-Match: *\r\n", 412),
    ("/v1/objects/{b}/k", "If-Match: *\r\n", 412),
    ("/v1/objects/{b}/" + "k" * 1025, "", 400),
    ("/v1/objects/{b}/k", "x-vortex-unknown-thing: 1\r\nContent-Range: bytes 0-4/9\r\n", 501),
])
def test_who_waits_for_100_hears_no_at_once(server, bucket, path, headers, status):
    server.call("PUT", target(bucket, "there"), b"x")
    with put_expecting(server, path.format(b=bucket), 10 * MIB, headers) as connection:
        head = read_head(connection)
        assert status_of(head) in ((status, 400) if status == 501 else (status,)), head


@pytest.mark.parametrize("headers", [
    {"Content-Range": "bytes 0-4/10"}, {"If-Unmodified-Since": "Thu, 01 Jan 2032 00:00:00 GMT"},
    {"x-amz-copy-source": "/a/b"}, {"X-HTTP-Method-Override": "DELETE"}, {"x-vortex-unknown": "1"},
    {"Transfer-Encoding": "gzip, chunked"},
])
def test_what_changes_the_meaning_and_is_not_supported_is_never_ignored(server, bucket, headers):
    if "Transfer-Encoding" in headers:
        received = talk(server.place, (f"PUT {target(bucket, 'k')} HTTP/1.1\r\nHost: v\r\n"
                                       "Transfer-Encoding: gzip, chunked\r\n\r\n"
                                       "1\r\nx\r\n0\r\n\r\n").encode(), timeout=5)
        assert status_of(received) in (400, 501)
    else:
        assert server.call("PUT", target(bucket, "k"), b"12345", headers).status == 501
    assert server.call("GET", target(bucket, "k")).status == 404


def test_a_client_request_id_or_a_new_one_is_repeated(server):
    ids = [server.call("GET", "/v1/nothing").header("x-request-id") for _ in range(5)]
    assert len(set(ids)) == 5 and all(re.fullmatch(r"[A-Za-z0-9._-]{8,64}", one) for one in ids)


def test_the_access_log_has_the_request_id(server):
    answer = server.call("GET", "/v1/nothing-to-log")
    found = poll(lambda: [line for line in (server.log() + server.output()).splitlines()
                          if answer.header("x-request-id") in line], 10, "a log line")
    entry = json.loads(found[0])
    assert "404" in found[0] and "/v1/nothing-to-log" in found[0] and isinstance(entry, dict)


def test_a_log_line_cannot_be_forged(server):
    server.call("GET", "/v1/forge%0d%0a%7B%22forged%22:true%7D")
    talk(server.place, b"GET /v1/forge\x0b\"}{\"forged\":true} HTTP/1.1\r\nHost: v\r\n"
                       b"User-Agent: \"}\\\"{\x01\r\nConnection: close\r\n\r\n")
    server.call("GET", "/v1/after-forging")
    lines = poll(lambda: (lambda text: text.splitlines() if "after-forging" in text else None)(
        server.log() + server.output()), 10, "a log line")
    for line in lines:
        if line.startswith("{"):
            assert "forged" not in json.loads(line)


def test_early_errors_do_not_break_the_next_request(server, bucket):
    """The answer to a refused upload comes at once; what the client sends on is not a request."""
    poison = b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\n\r\n"
    body = poison * 2000
    with server.place.connect(timeout=15) as connection:
        connection.sendall(f"PUT /v1/objects/absent-bucket/k HTTP/1.1\r\nHost: v\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        received = read_all(connection)
    assert status_of(received) == 404
    assert received.count(b"HTTP/1.1 ") == 1 and b'"live"' not in received
