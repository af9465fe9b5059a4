"""Clients that take their time, or a great many of them: they cost themselves, not the others."""

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


def cut_after(connection: socket.socket, drip: bytes, every: float, limit: float) -> float:
    """Seconds until the server closes a connection that gets one byte at a time."""
    begin = time.monotonic()
    connection.settimeout(every)
    position = 0
    while time.monotonic() - begin < limit:
        try:
            connection.send(drip[position % len(drip):][:1])
            position += 1
            if not connection.recv(4096):
                return time.monotonic() - begin
        except TimeoutError:
            continue
        except OSError:
            return time.monotonic() - begin
    raise AssertionError(f"still connected after {limit} s")


@pytest.mark.timeout(400)
def test_a_slow_head_and_a_slow_body_are_cut_while_others_are_served(server, bucket):
    head = server.place.connect()
    head.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\nX-Slow: ")
    body = server.place.connect()
    body.sendall(f"PUT {target(bucket, 'slow')} HTTP/1.1\r\nHost: v\r\nContent-Length: 1000000\r\n\r\n".encode())
    silent = server.place.connect()
    with head, body, silent:
        begin = time.monotonic()
        open_ = {"head": head, "body": body, "silent": silent}
        while open_:
            assert time.monotonic() - begin < CUT_SECONDS, f"still connected: {list(open_)}"
            for name, connection in list(open_.items()):
                connection.settimeout(0.2)
                try:
                    if name != "silent":
                        connection.send(b"x")
                    if not connection.recv(4096):
                        del open_[name]
                except TimeoutError:
                    pass
                except OSError:
                    del open_[name]
            assert server.call("GET", "/v1/health/live", timeout=5).status == 200
    assert server.call("GET", target(bucket, "slow")).status == 404
    poll(lambda: not [one for one in server.call("GET", "/v1/uploads").json()["uploads"]
                      if one["bucket"] == bucket], 30, "the slow PUT gone from the uploads")


@pytest.mark.timeout(400)
def test_a_reader_that_does_not_read_is_cut(server, bucket):
    size = 64 * MIB
    server.call("PUT", target(bucket, "stuck"), bytes(size))
    with server.place.connect() as connection:
        connection.sendall(f"GET {target(bucket, 'stuck')} HTTP/1.1\r\nHost: v\r\n\r\n".encode())
        assert status_of(read_head(connection)) == 200
        local = "%02X%02X%02X%02X:%04X" % (*reversed(
            socket.inet_aton(connection.getsockname()[0])), connection.getsockname()[1])

        def closed():  # by the server's side of /proc/net/tcp, without reading a byte ourselves
            for line in open("/proc/net/tcp"):
                fields = line.split()
                if fields[2] == local:
                    return fields[3] != "01"
            return True

        poll(closed, CUT_SECONDS, "the server's end of the stuck download closed", interval=0.5)


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
