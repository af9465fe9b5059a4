"""Files of every size, in and out again by the clients that people use."""

import os
import shutil
import socket
import subprocess
import threading

import pytest
import requests

from payload import GIB, KIB, MIB, blocks, digest, file_digest, seeded, write_file
from wire import read_head, status_of, target

SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB,
         5 * MIB + 12_345, 100 * MIB]
BIG = 5 * GIB if os.environ.get("VORTEX_E2E_BIG") == "1" else GIB


def run(*command, **settings) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=250, **settings)


def curl(*arguments) -> str:
    done = run("curl", "--silent", "--show-error", "--fail-with-body", *arguments)
    assert done.returncode == 0, (done.returncode, done.stdout[-500:], done.stderr[-500:])
    return done.stdout.decode(errors="replace")


@pytest.mark.parametrize("coding", ["content-length", "chunked"])
@pytest.mark.parametrize("size", SIZES)
def test_what_curl_puts_curl_gets(server, bucket, scratch, size, coding):
    if size == 0 and coding == "chunked":
        pytest.skip("curl 7.88 does not send the chunk that ends an empty body")
    source, back = scratch / "source", scratch / "back"
    sent = write_file(source, size, seed=size)
    url = f"{server.url}/v1/objects/{bucket}/file-{size}"
    how = ["-H", "Transfer-Encoding: chunked"] if coding == "chunked" else []
    assert curl("-T", source, *how, "-o", "/dev/null", "-w", "%{http_code}", url) == "201"
    assert curl("-o", back, "-w", "%{http_code} %{size_download}", url) == f"200 {size}"
    assert file_digest(back) == sent


def test_what_curl_pipes_from_stdin_comes_back(server, bucket):
    data = seeded(3 * MIB + 1)
    url = f"{server.url}/v1/objects/{bucket}/piped"
    done = run("curl", "-sS", "--fail", "-T", "-", url, input=data)
    assert done.returncode == 0, done.stderr
    assert run("curl", "-sS", "--fail", url).stdout == data


@pytest.mark.timeout(600)
def test_a_big_file_comes_back_whole(server, bucket, scratch):
    source, back = scratch / "source", scratch / "back"
    sent = write_file(source, BIG)
    url = f"{server.url}/v1/objects/{bucket}/big"
    memory = server.memory_bytes()
    curl("-T", source, "-o", "/dev/null", url)
    os.remove(source)
    curl("-o", back, url)
    assert back.stat().st_size == BIG
    assert file_digest(back) == sent
    assert server.memory_bytes() - memory < 200 * MIB, "a body must be streamed, not gathered"
    assert server.call("DELETE", target(bucket, "big")).status == 204


def test_wget_goes_on_where_a_broken_download_ended(server, bucket, scratch):
    source, back = scratch / "source", scratch / "back"
    sent = write_file(source, 20 * MIB + 17)
    url = f"{server.url}/v1/objects/{bucket}/wget"
    curl("-T", source, url)
    with open(source, "rb") as file:
        back.write_bytes(file.read(7 * MIB + 3))
    done = run("wget", "-c", "-nv", "--server-response", "-O", back, url)
    assert done.returncode == 0, done.stderr
    assert b" 206 " in done.stderr, "wget fetched everything again"
    assert file_digest(back) == sent


def test_aria2_fetches_with_eight_connections(server, bucket, scratch):
    if not shutil.which("aria2c"):
        pytest.skip("aria2c is not installed")
    source = scratch / "source"
    sent = write_file(source, 64 * MIB + 5)
    url = f"{server.url}/v1/objects/{bucket}/aria"
    curl("-T", source, url)
    done = run("aria2c", "-x8", "-s8", "-k1M", "--file-allocation=none", "-q",
               "-d", scratch, "-o", "back", url)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert file_digest(scratch / "back") == sent


def test_requests_puts_and_gets_streams(server, bucket):
    url = f"{server.url}/v1/objects/{bucket}/requests"
    with requests.Session() as session:
        put = session.put(url, data=blocks(6 * MIB + 1), headers={"Content-Type": "text/plain"})
        assert put.status_code == 201, put.text
        got = session.get(url)
        assert got.content == b"".join(blocks(6 * MIB + 1))
        assert got.headers["Content-Type"] == "text/plain"
        assert got.headers["ETag"] == put.headers["ETag"]


def test_node_fetch_puts_and_gets(server, bucket):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    script = """
      const url = process.argv[1], size = 3 * 1024 * 1024 + 7
      const sent = Buffer.alloc(size, 'vortex')
      const put = await fetch(url, { method: 'PUT', body: sent })
      const stream = await fetch(url + '-stream', { method: 'PUT', duplex: 'half', body:
        new ReadableStream({ start(c) { c.enqueue(sent.subarray(0, 9)); c.enqueue(sent.subarray(9));
          c.close() } }) })
      const same = async u => Buffer.from(await (await fetch(u)).arrayBuffer()).equals(sent)
      const both = [await same(url), await same(url + '-stream')]
      console.log(put.status, stream.status, ...both)
    """
    url = f"{server.url}/v1/objects/{bucket}/node"
    done = run("node", "--input-type=module", "-e", script, url)
    assert done.stdout.decode().split() == ["201", "201", "true", "true"], done.stderr


def test_an_empty_chunked_body_is_an_empty_object(server, bucket):
    assert server.call("PUT", target(bucket, "e"), iter([])).status == 201
    got = server.call("GET", target(bucket, "e"))
    assert (got.status, got.body, got.header("Content-Length")) == (200, b"", "0")


def test_put_says_whether_it_created_or_replaced(server, bucket):
    first = server.call("PUT", target(bucket, "a"), b"one")
    second = server.call("PUT", target(bucket, "a"), b"two")
    assert (first.status, second.status) == (201, 200)
    assert first.body == second.body == b""
    assert first.header("ETag") != second.header("ETag")
    assert first.header("x-vortex-version") != second.header("x-vortex-version")
    assert server.call("GET", target(bucket, "a")).body == b"two"


def test_the_etag_is_that_of_the_bytes(server, bucket):
    tags = [server.call("PUT", target(bucket, key), data).header("ETag")
            for key, data in [("a", b"same"), ("b", b"same"), ("c", b"other")]]
    assert tags[0] == tags[1] != tags[2]
    assert tags[0].startswith('"') and tags[0].endswith('-1"') and len(tags[0]) == 36


def test_head_says_what_get_says_without_the_body(server, bucket):
    for size in (0, 10, MIB + 1):
        server.call("PUT", target(bucket, "h"), seeded(size), {"Content-Type": "image/png"})
        head = server.call("HEAD", target(bucket, "h"))
        got = server.call("GET", target(bucket, "h"))
        assert (head.status, head.body) == (200, b"")
        for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges",
                     "x-vortex-version"):
            assert head.header(name) is not None and head.header(name) == got.header(name), name
        assert head.header("Content-Length") == str(size)
        assert head.header("Accept-Ranges") == "bytes"


def test_content_headers_and_metadata_come_back(server, bucket):
    kept = {
        "Content-Type": "text/html; charset=utf-8", "Content-Encoding": "gzip",
        "Content-Disposition": 'attachment; filename="a b.html"', "Content-Language": "de-AT",
        "Cache-Control": "max-age=60, private", "Expires": "Thu, 01 Jan 2032 00:00:00 GMT",
        "x-vortex-meta-colour": "blue", "X-Vortex-Meta-Long": "x" * 2000,
    }
    assert server.call("PUT", target(bucket, "m"), b"body", kept).status == 201
    for method in ("GET", "HEAD"):
        answer = server.call(method, target(bucket, "m"))
        for name, value in kept.items():
            assert answer.header(name) == value, (method, name)
    server.call("PUT", target(bucket, "m"), b"body")
    plain = server.call("GET", target(bucket, "m"))
    assert plain.header("Content-Type") == "application/octet-stream"
    assert plain.header("x-vortex-meta-colour") is None, "a replaced version's metadata stayed"


def test_delete_is_idempotent_and_says_what_it_found(server, bucket):
    server.call("PUT", target(bucket, "d"), b"data")
    first = server.call("DELETE", target(bucket, "d"))
    second = server.call("DELETE", target(bucket, "d"))
    assert (first.status, first.header("x-vortex-existed")) == (204, "true")
    assert (second.status, second.header("x-vortex-existed")) == (204, "false")
    assert server.call("GET", target(bucket, "d")).status == 404
    assert server.call("HEAD", target(bucket, "d")).status == 404


@pytest.mark.parametrize("size", [1000, 3 * MIB])
def test_an_upload_that_ends_early_stores_nothing(server, bucket, size):
    half = seeded(size)[: size // 2]
    for head in (f"Content-Length: {size}\r\n\r\n".encode() + half,
                 b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n" % len(half) + half + b"\r\n"):
        with server.place.connect() as connection:
            path = target(bucket, "early")
            connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: v\r\n".encode() + head)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(60)
            answer = connection.recv(4096)
        assert status_of(answer) in (None, 400), answer
        assert server.call("GET", target(bucket, "early")).status == 404


def test_a_get_in_flight_ends_whole_when_the_object_is_replaced(server, bucket):
    old = b"".join(blocks(40 * MIB, seed=1))
    server.call("PUT", target(bucket, "flight"), old)
    with server.place.connect() as connection:
        connection.sendall(f"GET {target(bucket, 'flight')} HTTP/1.1\r\nHost: v\r\n\r\n".encode())
        assert status_of(read_head(connection)) == 200
        server.call("PUT", target(bucket, "flight"), b"new")
        received = bytearray()
        while len(received) < len(old):
            piece = connection.recv(MIB)
            assert piece, f"cut off at {len(received)}"
            received += piece
    assert digest(received) == digest(old)
    assert server.call("GET", target(bucket, "flight")).body == b"new"


def test_writers_of_one_key_leave_one_of_their_bodies(server, bucket):
    bodies = [seeded(300 * KIB, seed=n) for n in range(8)]
    statuses = []

    def put(body):
        statuses.append(server.call("PUT", target(bucket, "contended"), body).status)

    threads = [threading.Thread(target=put, args=[body]) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 7 + [201]
    assert server.call("GET", target(bucket, "contended")).body in bodies


def test_a_connection_serves_many_requests(server, bucket):
    with server.place.session() as session:
        for number in range(50):
            body = seeded(number * 977)
            assert session.call("PUT", target(bucket, "keep"), body).status in (200, 201)
            assert session.call("GET", target(bucket, "keep")).body == body
            assert session.call("GET", target(bucket, "absent")).status == 404
