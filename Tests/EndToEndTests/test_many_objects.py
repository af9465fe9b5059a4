"""A great many small objects: all there, all listed, also after SIGKILL; times are told, not judged."""

import os
import random
import time
from urllib.parse import quote

import pytest

import pipeline
from payload import MIB

COUNT = int(os.environ.get("VORTEX_E2E_OBJECTS", "100000"))


def body(number: int) -> bytes:
    return b"object %08d " % number * 4


def puts(first: int, last: int):
    for number in range(first, last):
        data = body(number)
        yield b"PUT /v1/objects/many/dir%03d/key-%08d HTTP/1.1\r\nHost: v\r\nContent-Length: %d\r\n\r\n%s" % (
            number % 100, number, len(data), data)


@pytest.mark.timeout(120 + COUNT // 500)
def test_many_objects_are_listed_and_outlive_sigkill(new_server, seed):
    server = new_server().start()
    server.create_bucket("many")
    begin = time.monotonic()
    counts = pipeline.run(server.place, puts(0, COUNT))
    seconds = time.monotonic() - begin
    assert counts == {b"201": COUNT}
    memory = server.memory_bytes() / MIB
    print(f"{COUNT} objects put in {seconds:.1f} s: {COUNT / seconds:.0f}/s, {memory:.0f} MiB resident")
    start = server.restart()
    print(f"ready {start:.2f} s after SIGKILL, {server.memory_bytes() / MIB:.0f} MiB resident")

    expected = sorted(f"dir{number % 100:03}/key-{number:08}" for number in range(COUNT))
    found, after, pages = [], "", 0
    begin = time.monotonic()
    with server.place.session() as session:
        while True:
            page = session.call("GET", f"/v1/objects/many?limit=1000{after}").json()
            found += [entry["key"] for entry in page["objects"]]
            pages += 1
            if page["next"] is None:
                break
            after = "&after=" + quote(page["next"], safe="")
        print(f"listed in {pages} pages, {COUNT / (time.monotonic() - begin):.0f} keys/s by this client")
        assert found == expected
        folded = session.call("GET", "/v1/objects/many?delimiter=/").json()
        assert (len(folded["prefixes"]), folded["objects"]) == (100, [])
        for number in random.Random(seed).sample(range(COUNT), 500):
            answer = session.call("GET", f"/v1/objects/many/dir{number % 100:03}/key-{number:08}")
            assert answer.body == body(number), number
    assert server.memory_bytes() < 200 * MIB
