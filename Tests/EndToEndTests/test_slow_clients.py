"""Clients that take their time, or a great many of them: they cost themselves, not the others."""

import json
import resource
import socket
import time

import pytest

from payload import MIB
from server import poll
from wire import read_head, status_of, target

CONNECTIONS = 10_000
# A slow head or body must be cut within this; the server's own deadlines are shorter.
CUT_SECONDS = 150


def timed_out(connection: socket.socket) -> bool:
    """Waits without a word for the answer that the body took too long, and for the end."""
    connection.settimeout(0.1)
    try:
        answer = connection.recv(4096)
    except TimeoutError:
        return False
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status_of(head) == 408 and b"application/problem+json" in head and b"close" in head.lower(), answer
    problem = json.loads(body)
    assert problem["status"] == 408 and problem["instance"].encode() in head, answer
    assert connection.recv(4096) == b""
    return True


def closed_by_server(connection: socket.socket) -> bool:
    """By the server's end in /proc/net/tcp, without reading a byte of what it has sent us."""
    host, port = connection.getsockname()
    local = "%02X%02X%02X%02X:%04X" % (*reversed(socket.inet_aton(host)), port)
    with open("/proc/net/tcp") as table:
        states = [fields[3] for fields in map(str.split, table) if fields[2] == local]
    return states != ["01"]


def drip(connection: socket.socket) -> bool:
    """Sends one more byte; whether the connection has been closed."""
    connection.settimeout(0.1)
    try:
        connection.send(b"x")
        return not connection.recv(4096)
    except TimeoutError:
        return False
    except OSError:
        return True


def silence(connection: socket.socket) -> bool:
    connection.settimeout(0.1)
    try:
        return not connection.recv(4096)
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.timeout(400)
def test_clients_that_do_not_go_on_are_cut_while_others_are_served(server, bucket):
    server.call("PUT", target(bucket, "stuck"), bytes(64 * MIB))
    starts = {
        "a head by the byte": (b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\nX-Slow: ", drip),
        "a body by the byte": (f"PUT {target(bucket, 'slow')} HTTP/1.1\r\nHost: v\r\n"
                               "Content-Length: 1000000\r\n\r\n".encode(), drip),
        "a body that stops": (f"PUT {target(bucket, 'slow')} HTTP/1.1\r\nHost: v\r\n"
                              f"Content-Length: {8 * MIB}\r\n\r\n".encode() + bytes(3 * MIB), timed_out),
        "no word at all": (b"", silence),
        "an answer not read": (f"GET {target(bucket, 'stuck')} HTTP/1.1\r\nHost: v\r\n\r\n".encode(),
                               closed_by_server),
    }
    open_ = {}
    for name, (first, _) in starts.items():
        open_[name] = server.place.connect()
        open_[name].sendall(first)
    begin = time.monotonic()
    while open_:
        assert time.monotonic() - begin < CUT_SECONDS, f"still connected: {list(open_)}"
        for name, connection in list(open_.items()):
            if starts[name][1](connection):
                print(f"{name}: cut after {time.monotonic() - begin:.1f} s")
                connection.close()
                del open_[name]
        assert server.call("GET", "/v1/health/live", timeout=5).status == 200
    assert server.call("GET", target(bucket, "slow")).status == 404
    poll(lambda: not [one for one in server.call("GET", "/v1/uploads").json()["uploads"]
                      if one["bucket"] == bucket], 30, "the slow PUTs gone from the uploads")


def test_a_slow_but_steady_upload_is_served(server, bucket):
    """Twelve seconds of 64 KiB/s: slow is not dead."""
    pieces = 48
    with server.place.connect() as connection:
        connection.sendall(f"PUT {target(bucket, 'steady')} HTTP/1.1\r\nHost: v\r\n"
                           f"Content-Length: {pieces * 16384}\r\n\r\n".encode())
        due = time.monotonic()
        for _ in range(pieces):
            connection.sendall(b"s" * 16384)
            due += 0.25
            poll(lambda: time.monotonic() >= due, 5, "the time for the next piece", interval=0.05)
        assert status_of(read_head(connection)) == 201


@pytest.mark.timeout(400)
def test_ten_thousand_idle_connections_leave_the_server_serving(new_server, run_directory):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < CONNECTIONS + 500:
        pytest.skip(f"only {soft} descriptors allowed")
    server = new_server().start()
    server.create_bucket("idle")
    memory = server.memory_bytes()
    open_ = []
    try:
        for number in range(CONNECTIONS):
            connection = socket.socket()
            connection.settimeout(10)
            # Several loopback addresses of the client's: 28,000 ports each.
            connection.bind((f"127.0.0.{2 + number % 4}", 0))
            connection.connect((server.place.host, server.place.port))
            open_.append(connection)
        request = b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\n\r\n"
        for connection in open_[:: CONNECTIONS // 100]:
            connection.sendall(request)
            assert status_of(connection.recv(4096)) == 200, "one of the idle ones speaks"
        assert server.call("PUT", target("idle", "k"), b"x" * MIB).status == 201
        assert len(server.call("GET", target("idle", "k")).body) == MIB
        grown = server.memory_bytes() - memory
        print(f"{CONNECTIONS} idle connections: {grown / MIB:.0f} MiB")
        assert grown < 400 * MIB, f"{grown / CONNECTIONS:.0f} bytes per idle connection"
    finally:
        for connection in open_:
            connection.close()
    poll(lambda: server.descriptors() < 200, 60, "the closed connections' descriptors")
