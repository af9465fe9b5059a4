"""Resumable uploads: they survive a crash of the client and of the server."""

import base64
import hashlib
import socket
import threading
from urllib.parse import quote

import pytest

from payload import MIB, blocks, digest, seeded
from server import poll
from wire import assert_problem, read_head, status_of, target


def create(server, bucket, key, headers=None):
    answer = server.call("POST", f"/v1/uploads?bucket={bucket}&key={quote(key, safe='')}",
                         b"", headers)
    assert answer.status == 201, answer.body
    assert answer.header("Upload-Offset") == "0"
    assert answer.header("Location").startswith("/v1/uploads/")
    return answer


def append(server, location, offset, data, headers=None):
    return server.call("PATCH", location, data, {"Upload-Offset": str(offset), **(headers or {})})


def offset(server, location) -> int:
    answer = server.call("HEAD", location)
    assert answer.status == 204, answer.status
    assert "no-store" in answer.header("Cache-Control")
    return int(answer.header("Upload-Offset"))


def listed(server, bucket) -> list[dict]:
    uploads = server.call("GET", "/v1/uploads").json()["uploads"]
    return [upload for upload in uploads if upload["bucket"] == bucket]


@pytest.mark.parametrize("sizes", [
    [0], [1], [1, 1, 1], [MIB], [MIB, MIB, 5], [3 * MIB + 7, 1, 0, 65_536, 2 * MIB], [100] * 40,
])
def test_parts_become_one_object(server, bucket, sizes):
    location = create(server, bucket, "parts", {"Content-Type": "text/x", "x-vortex-meta-a": "b"}).header("Location")
    whole = b""
    for number, size in enumerate(sizes):
        data = seeded(size, seed=number)
        answer = append(server, location, len(whole), data)
        assert answer.status == 204, answer.body
        whole += data
        assert answer.header("Upload-Offset") == str(len(whole))
        assert offset(server, location) == len(whole)
    assert server.call("GET", target(bucket, "parts")).status == 404, "seen before it is complete"
    done = server.call("POST", location + "/complete", b"")
    assert done.status == 201 and done.header("ETag")
    got = server.call("GET", target(bucket, "parts"))
    assert got.body == whole and got.header("ETag") == done.header("ETag")
    assert got.header("Content-Type") == "text/x" and got.header("x-vortex-meta-a") == "b"
    assert listed(server, bucket) == []


def test_completing_twice_gives_the_same_answer(server, bucket):
    location = create(server, bucket, "twice").header("Location")
    append(server, location, 0, b"data")
    first = server.call("POST", location + "/complete", b"")
    second = server.call("POST", location + "/complete", b"")
    assert (first.status, second.status) in [(201, 201), (201, 200)]
    assert first.header("ETag") == second.header("ETag")
    assert first.header("x-vortex-version") == second.header("x-vortex-version")


def test_upload_complete_on_patch_completes(server, bucket):
    location = create(server, bucket, "flag").header("Location")
    append(server, location, 0, b"one ")
    answer = append(server, location, 4, b"two", {"Upload-Complete": "?1"})
    assert answer.status in (200, 201, 204), answer.body
    assert server.call("GET", target(bucket, "flag")).body == b"one two"


def test_one_request_can_be_a_whole_upload(server, bucket):
    answer = server.call("POST", f"/v1/uploads?bucket={bucket}&key=single", b"all of it",
                         {"Upload-Complete": "?1"})
    assert answer.status == 201 and answer.header("ETag"), answer.body
    assert server.call("GET", target(bucket, "single")).body == b"all of it"


def test_the_first_bytes_may_come_with_the_creation(server, bucket):
    answer = server.call("POST", f"/v1/uploads?bucket={bucket}&key=first", b"one ", {"Upload-Complete": "?0"})
    assert answer.status == 201 and answer.header("Upload-Offset") == "4", answer.body
    location = answer.header("Location")
    append(server, location, 4, b"two")
    assert server.call("POST", location + "/complete", b"").status == 201
    assert server.call("GET", target(bucket, "first")).body == b"one two"


def test_a_wrong_offset_is_409_and_tells_the_right_one(server, bucket):
    location = create(server, bucket, "offsets").header("Location")
    append(server, location, 0, b"12345")
    for wrong in (0, 4, 6, 10 ** 12):
        answer = append(server, location, wrong, b"x")
        assert_problem(answer, 409, "offset-mismatch")
        assert answer.header("Upload-Offset") == "5"
    assert offset(server, location) == 5


@pytest.mark.parametrize("value", [None, "", "x", "-1", "1.5", "18446744073709551615", "18446744073709551616", "0x10"])
def test_an_offset_that_is_none_is_400(server, bucket, value):
    location = create(server, bucket, "nonsense").header("Location")
    headers = {} if value is None else {"Upload-Offset": value}
    assert_problem(server.call("PATCH", location, b"x", headers), 400)
    assert offset(server, location) == 0


def test_an_aborted_upload_is_gone(server, bucket):
    location = create(server, bucket, "aborted").header("Location")
    append(server, location, 0, seeded(2 * MIB))
    assert server.call("DELETE", location).status == 204
    assert_problem(append(server, location, 2 * MIB, b"x"), 404, "no-such-upload")
    assert_problem(server.call("POST", location + "/complete", b""), 404, "no-such-upload")
    assert server.call("HEAD", location).status == 404
    assert server.call("GET", target(bucket, "aborted")).status == 404
    assert listed(server, bucket) == []


@pytest.mark.parametrize("method, path", [
    ("HEAD", ""), ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/complete")])
@pytest.mark.parametrize("upload", ["0" * 32, "f" * 32, "nonsense", "..", "%00"])
def test_an_unknown_upload_is_404(server, method, path, upload):
    answer = server.call(method, f"/v1/uploads/{upload}{path}", headers={"Upload-Offset": "0"})
    assert answer.status in (400, 404) if upload in ("nonsense", "..", "%00") else answer.status == 404


def test_what_arrived_before_the_client_broke_off_is_kept(server, bucket):
    location = create(server, bucket, "broken").header("Location")
    whole = b"".join(blocks(8 * MIB, seed=5))
    sent = 5 * MIB + 123
    with server.place.connect() as connection:
        connection.sendall(f"PATCH {location} HTTP/1.1\r\nHost: v\r\nUpload-Offset: 0\r\n"
                           f"Content-Length: {len(whole)}\r\n\r\n".encode())
        connection.sendall(whole[:sent])
    def settled():  # the server notices the end in its own time, and another PATCH may be too early
        answer = append(server, location, offset(server, location), b"")
        return answer.status == 204 and int(answer.header("Upload-Offset")) > 0
    poll(settled, 30, "the bytes of the broken PATCH")
    kept = offset(server, location)
    assert 0 < kept <= sent
    assert append(server, location, kept, whole[kept:]).status == 204
    assert server.call("POST", location + "/complete", b"").status == 201
    assert digest(server.call("GET", target(bucket, "broken")).body) == digest(whole)


def test_uploads_in_progress_tell_their_bytes(server, bucket):
    location = create(server, bucket, "seen/ä").header("Location")
    append(server, location, 0, seeded(12_345))
    entry = listed(server, bucket)[0]
    assert entry["key"] == "seen/ä" and entry["offset"] == 12_345 and entry["resumable"] is True
    assert location.endswith(entry["id"])
    for name in ("started", "progress", "bytes_per_second"):
        assert name in entry
    one = server.call("GET", location).json()
    assert (one["id"], one["offset"]) == (entry["id"], 12_345)
    server.call("DELETE", location)


def test_a_plain_put_in_progress_is_listed(server, bucket):
    data = b"".join(blocks(16 * MIB))
    with server.place.connect() as connection:
        connection.sendall(f"PUT {target(bucket, 'plain')} HTTP/1.1\r\nHost: v\r\n"
                           f"Content-Length: {len(data)}\r\n\r\n".encode() + data[: 8 * MIB])
        entry = poll(lambda: listed(server, bucket), 20, "the PUT among the uploads")[0]
        assert entry["key"] == "plain" and entry["resumable"] is False
        # Chunks are counted when they are durable, a window of a few behind what has arrived.
        poll(lambda: listed(server, bucket)[0]["offset"] >= 4 * MIB, 20, "its bytes so far")
        connection.sendall(data[8 * MIB:])
        assert status_of(read_head(connection)) == 201
    poll(lambda: listed(server, bucket) == [], 10, "the finished PUT gone from the uploads")


def test_an_upload_to_no_bucket_is_404(server):
    answer = server.call("POST", "/v1/uploads?bucket=no-such-bucket-here&key=k", b"")
    assert_problem(answer, 404, "no-such-bucket")


@pytest.mark.parametrize("query", ["", "?bucket=abc", "?key=k", "?bucket=abc&key=", "?bucket=abc&key=" + "k" * 1025,
                                   "?bucket=ab&key=k", "?bucket=abc&key=%ff"])
def test_an_upload_of_nothing_is_400(server, query):
    server.create_bucket("abc")
    assert_problem(server.call("POST", "/v1/uploads" + query, b""), 400)


def test_an_upload_obeys_its_condition_when_it_completes(server, bucket):
    location = create(server, bucket, "cond", {"If-None-Match": "*"}).header("Location")
    append(server, location, 0, b"upload")
    server.call("PUT", target(bucket, "cond"), b"put")
    answer = server.call("POST", location + "/complete", b"")
    assert_problem(answer, 412, "precondition-failed")
    assert server.call("GET", target(bucket, "cond")).body == b"put"


def test_a_digest_at_the_end_is_checked(server, bucket):
    data = seeded(100_000)
    good = base64.b64encode(hashlib.sha256(data).digest()).decode()
    bad = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    location = create(server, bucket, "sum").header("Location")
    append(server, location, 0, data)
    answer = server.call("POST", location + "/complete", b"", {"Repr-Digest": f"sha-256=:{bad}:"})
    assert_problem(answer, 400, "digest-mismatch")
    assert server.call("GET", target(bucket, "sum")).status == 404
    answer = server.call("POST", location + "/complete", b"", {"Repr-Digest": f"sha-256=:{good}:"})
    assert answer.status == 201, answer.body


def test_a_part_whose_digest_does_not_match_is_not_kept(server, bucket):
    location = create(server, bucket, "partsum").header("Location")
    append(server, location, 0, b"good")
    wrong = "sha-256=:" + base64.b64encode(hashlib.sha256(b"x").digest()).decode() + ":"
    assert_problem(append(server, location, 4, b"bad!", {"Content-Digest": wrong}), 400, "digest-mismatch")
    assert offset(server, location) == 4


def test_uploads_survive_a_crash_of_the_server(new_server):
    server = new_server().start()
    server.create_bucket("crash")
    locations = {}
    for number in range(5):
        location = create(server, "crash", f"k{number}").header("Location")
        whole = b"".join(blocks(3 * MIB + number, seed=number))
        locations[location] = (f"k{number}", whole)
        assert append(server, location, 0, whole[: MIB + number]).status == 204
    finished = create(server, "crash", "finished").header("Location")
    append(server, finished, 0, b"whole")
    done = server.call("POST", finished + "/complete", b"")
    server.restart()
    again = server.call("POST", finished + "/complete", b"")
    assert again.header("ETag") == done.header("ETag"), "the answer is owed after a crash too"
    for number, (location, (key, whole)) in enumerate(locations.items()):
        kept = offset(server, location)
        assert kept == MIB + number, "acknowledged bytes are kept"
        assert append(server, location, kept, whole[kept:]).status == 204
        assert server.call("POST", location + "/complete", b"").status == 201
        assert digest(server.call("GET", target("crash", key)).body) == digest(whole)


def test_a_crash_in_the_middle_of_a_part_keeps_a_prefix(new_server):
    server = new_server().start()
    server.create_bucket("crash")
    location = create(server, "crash", "k").header("Location")
    whole = b"".join(blocks(48 * MIB, seed=9))
    append(server, location, 0, whole[:1000])
    started = threading.Event()

    def send():
        with server.place.connect() as connection:
            connection.sendall(f"PATCH {location} HTTP/1.1\r\nHost: v\r\nUpload-Offset: 1000\r\n"
                               f"Content-Length: {len(whole) - 1000}\r\n\r\n".encode())
            try:
                for at in range(1000, len(whole) - MIB, 65_536):
                    connection.sendall(whole[at:at + 65_536])
                    if at > 16 * MIB:
                        started.set()
            except OSError:
                pass
            try:
                connection.recv(1)
            except OSError:
                pass

    sender = threading.Thread(target=send)
    sender.start()
    assert started.wait(60)
    server.restart()
    sender.join()
    kept = offset(server, location)
    assert 1000 <= kept <= len(whole)
    assert append(server, location, kept, whole[kept:]).status == 204
    assert server.call("POST", location + "/complete", b"").status == 201
    assert digest(server.call("GET", target("crash", "k")).body) == digest(whole)


def test_two_writers_of_one_upload_never_mix(server, bucket):
    location = create(server, bucket, "two").header("Location")
    parts = [seeded(2 * MIB, seed=n) for n in range(4)]
    statuses = []
    threads = [threading.Thread(target=lambda data: statuses.append(
        append(server, location, 0, data).status), args=[data]) for data in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(204) == 1 and statuses.count(409) == 3, statuses
    assert server.call("POST", location + "/complete", b"").status == 201
    assert server.call("GET", target(bucket, "two")).body in parts


def test_a_connection_reset_in_a_put_leaves_no_upload(server, bucket):
    with server.place.connect() as connection:
        connection.sendall(f"PUT {target(bucket, 'reset')} HTTP/1.1\r\nHost: v\r\n"
                           f"Content-Length: {8 * MIB}\r\n\r\n".encode() + seeded(3 * MIB))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    poll(lambda: listed(server, bucket) == [], 30, "the broken PUT gone from the uploads")
    assert server.call("GET", target(bucket, "reset")).status == 404
