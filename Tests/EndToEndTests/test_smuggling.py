"""Requests whose end two servers could see in different places: refused, and the connection closed."""

import pytest

from server import poll
from wire import status_of, talk, target

SECOND = b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\nX-Smuggled: 1\r\n\r\n"
CHUNKED = b"1\r\nx\r\n0\r\n\r\n"

# name -> (header lines, body). Each would, in front of some proxy, hide SECOND in a body or show it as a request.
AMBIGUOUS = {
    "two lengths that differ": (b"Content-Length: 1\r\nContent-Length: 70\r\n", b"x"),
    "two lengths that agree": (b"Content-Length: 1\r\nContent-Length: 1\r\n", b"x"),
    "a list of lengths": (b"Content-Length: 1, 1\r\n", b"x"),
    "a length and a coding": (b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "a coding and a length": (b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", CHUNKED),
    "a length of zero and a coding": (b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "a space before the length's colon": (b"Content-Length : 1\r\n", b"x"),
    "a tab before the length's colon": (b"Content-Length\t: 1\r\n", b"x"),
    "a space before the coding's colon": (b"Transfer-Encoding : chunked\r\n", CHUNKED),
    "a length with a plus": (b"Content-Length: +1\r\n", b"x"),
    "a length with a minus": (b"Content-Length: -1\r\n", b"x"),
    "a hexadecimal length": (b"Content-Length: 0x1\r\n", b"x"),
    "an empty length": (b"Content-Length: \r\n", b"x"),
    "a length with a letter": (b"Content-Length: 1a\r\n", b"x"),
    "two numbers as a length": (b"Content-Length: 1 1\r\n", b"x"),
    "a length beyond 64 bits": (b"Content-Length: 18446744073709551617\r\n", b"x"),
    "two codings": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked\r\n", CHUNKED),
    "chunked and identity": (b"Transfer-Encoding: chunked, identity\r\n", CHUNKED),
    "identity": (b"Transfer-Encoding: identity\r\n", CHUNKED),
    "a coding nobody knows": (b"Transfer-Encoding: xchunked\r\n", CHUNKED),
    "a quoted coding": (b'Transfer-Encoding: "chunked"\r\n', CHUNKED),
    "a vertical tab in the coding": (b"Transfer-Encoding: \x0bchunked\r\n", CHUNKED),
    "a folded coding": (b"Transfer-Encoding:\r\n chunked\r\n", CHUNKED),
    "a folded header": (b"X: a\r\n Content-Length: 9\r\nContent-Length: 1\r\n", b"x"),
    "a nul in a header": (b"X: a\x00b\r\nContent-Length: 1\r\n", b"x"),
    "a nul in a header's name": (b"X\x00: a\r\nContent-Length: 1\r\n", b"x"),
    "a header without a colon": (b"Content-Length: 1\r\nno colon here\r\n", b"x"),
    "a header without a name": (b": value\r\nContent-Length: 1\r\n", b"x"),
    "a carriage return in a header": (b"X: a\rTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", b"x"),
    "a chunk size with a prefix": (b"Transfer-Encoding: chunked\r\n", b"0x1\r\nx\r\n0\r\n\r\n"),
    "a chunk size with a sign": (b"Transfer-Encoding: chunked\r\n", b"+1\r\nx\r\n0\r\n\r\n"),
    "a negative chunk size": (b"Transfer-Encoding: chunked\r\n", b"-1\r\nx\r\n0\r\n\r\n"),
    "a chunk size that overflows": (b"Transfer-Encoding: chunked\r\n",
                                    b"10000000000000001\r\nx\r\n0\r\n\r\n"),
    "an empty chunk size": (b"Transfer-Encoding: chunked\r\n", b"\r\nx\r\n0\r\n\r\n"),
    "a chunk that goes on": (b"Transfer-Encoding: chunked\r\n", b"1\r\nxy\r\n0\r\n\r\n"),
    "a chunk size that is no number": (b"Transfer-Encoding: chunked\r\n", b"q\r\nx\r\n0\r\n\r\n"),
}

HOSTS = {
    "no host": b"", "two hosts": b"Host: v\r\nHost: w\r\n", "the same host twice": b"Host: v\r\nHost: v\r\n",
    "a host with a space": b"Host: v w\r\n", "a host with a slash": b"Host: v/w\r\n",
    "a space before the host's colon": b"Host : v\r\n",
}


def assert_refused(server, received: bytes):
    assert status_of(received) in (400, 411, 413, 501), received[:300]
    head = received.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nconnection: close" in head, f"the connection goes on: {head}"
    assert b"HTTP/1.1 2" not in received and b'"live"' not in received, "the hidden request was answered"


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_end_is_refused(server, bucket, name):
    headers, body = AMBIGUOUS[name]
    head = f"PUT {target(bucket, 'smuggled')} HTTP/1.1\r\nHost: v\r\n".encode()
    received = talk(server.place, head + headers + b"\r\n" + body + SECOND, timeout=15)
    assert_refused(server, received)
    assert server.call("GET", target(bucket, "smuggled")).status == 404


@pytest.mark.parametrize(
    "name", [name for name in AMBIGUOUS if "chunk size" not in name and "goes on" not in name])
def test_an_ambiguous_end_is_refused_on_a_get_too(server, name):
    headers, body = AMBIGUOUS[name]
    head = b"GET /v1/buckets HTTP/1.1\r\nHost: v\r\n"
    assert_refused(server, talk(server.place, head + headers + b"\r\n" + body + SECOND, timeout=15))


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_that_is_not_one_is_refused(server, name):
    request = b"GET /v1/buckets HTTP/1.1\r\n" + HOSTS[name] + b"\r\n"
    assert_refused(server, talk(server.place, request + SECOND, timeout=15))


@pytest.mark.parametrize("line", [
    b"GET /v1/health/ready HTTP/1.1 x",
    b"GET /v1/health/ready HTTP/2.0", b"GET /v1/health/ready HTTP/1.x", b"GET /v1/health/ready",
    b"GET /v1/health/\x00ready HTTP/1.1", b"GET /v1/health/ready\tHTTP/1.1", b"G\x00ET /v1/health/ready HTTP/1.1",
    b"", b"\x00", b"HTTP/1.1 200 OK", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
])
def test_a_request_line_that_is_none_is_refused(server, line):
    received = talk(server.place, line + b"\r\nHost: v\r\nConnection: close\r\n\r\n", timeout=15)
    if line == b"":  # RFC 9112, 2.2: an empty line before a request may be skipped
        assert b'"live"' not in received
        return
    assert status_of(received) in (400, 404, 405, 414, 501, 505, None), received[:200]
    assert b"200" not in received.split(b"\r\n")[0]


def test_a_chunked_body_in_http_1_0_is_refused(server, bucket):
    request = f"PUT {target(bucket, 'old')} HTTP/1.0\r\nHost: v\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = talk(server.place, request.encode() + CHUNKED + SECOND, timeout=15)
    assert status_of(received) in (400, 411, 501, 505), received[:200]
    assert b'"live"' not in received
    assert server.call("GET", target(bucket, "old")).status == 404


def test_trailers_do_not_become_headers(server, bucket):
    body = b"1\r\nx\r\n0\r\nx-vortex-meta-evil: 1\r\nContent-Length: 5\r\n\r\n"
    request = (f"PUT {target(bucket, 'trailer')} HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
               "Transfer-Encoding: chunked\r\n\r\n").encode() + body
    received = talk(server.place, request, timeout=15)
    assert status_of(received) in (201, 400), received
    assert server.call("HEAD", target(bucket, "trailer")).header("x-vortex-meta-evil") is None


def test_chunk_extensions_and_case_are_taken(server, bucket):
    request = (f"PUT {target(bucket, 'fine')} HTTP/1.1\r\nHost: v\r\nConnection: close\r\n"
               "transfer-encoding: Chunked\r\n\r\n").encode()
    talk(server.place, request + b"A;name=value\r\n0123456789\r\n0\r\n\r\n", timeout=15)
    assert server.call("GET", target(bucket, "fine")).body == b"0123456789"


def test_pipelined_requests_are_answered_in_order(server, bucket):
    count = 30
    puts = b"".join(f"PUT {target(bucket, str(n))} HTTP/1.1\r\nHost: v\r\nContent-Length: 2\r\n\r\n{n:02}".encode()
                    for n in range(count))
    gets = b"".join(f"GET {target(bucket, str(n))} HTTP/1.1\r\nHost: v\r\n\r\n".encode()
                    for n in range(count))
    last = b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n"
    received = talk(server.place, puts + gets + last, timeout=30)
    assert received.count(b"HTTP/1.1 201 ") == count
    assert received.count(b"HTTP/1.1 200 ") == count + 1
    bodies = [piece.partition(b"\r\n\r\n")[2] for piece in received.split(b"HTTP/1.1 200 ")[1:-1]]
    assert bodies == [f"{n:02}".encode() for n in range(count)]


@pytest.mark.parametrize("name, value", [
    ("x-vortex-meta-a", "b\rSet-Cookie: x=1"), ("Content-Type", "text/html\x00"),
    ("Content-Disposition", "a\x0bb"),
])
def test_a_stored_header_cannot_split_a_response(server, bucket, name, value):
    head = f"PUT {target(bucket, 'split')} HTTP/1.1\r\nHost: v\r\nContent-Length: 1\r\n".encode()
    talk(server.place, head + f"{name}: {value}\r\nConnection: close\r\n\r\nx".encode(), timeout=15)
    answer = server.call("GET", target(bucket, "split"))
    assert answer.header("Set-Cookie") is None
    assert "\r" not in (answer.header(name) or "") and "\x00" not in (answer.header(name) or "")


def test_no_ambiguous_request_leaves_an_upload_open(server, bucket):
    for headers, body in AMBIGUOUS.values():
        talk(server.place, f"PUT {target(bucket, 'open')} HTTP/1.1\r\nHost: v\r\n".encode()
             + headers + b"\r\n" + body, timeout=1, finish=True)
    poll(lambda: not [one for one in server.call("GET", "/v1/uploads").json()["uploads"]
                      if one["bucket"] == bucket], 60, "no open upload")
