"""SIGKILL, torn tails and damage: what was acknowledged is there, and nothing that was never sent."""

import json
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from payload import MIB, digest, seeded
from server import BINARY, poll
from wire import target
from workload import Workload, listed

ROUNDS = int(os.environ.get("VORTEX_E2E_ROUNDS", "8"))
EVERY_BYTE = os.environ.get("VORTEX_E2E_EVERY_BYTE") == "1"


@pytest.mark.timeout(60 + 60 * ROUNDS)
def test_every_acknowledged_write_outlives_sigkill(new_server, seed):
    server = new_server().start()
    server.create_bucket("crash")
    workload = Workload(server, "crash", clients=16, seed=seed)
    moments = random.Random(seed)
    starts, before = [], 0
    for number in range(ROUNDS):
        workload.start()
        moment = time.monotonic() + moments.uniform(0.05, 2.0)
        poll(lambda: time.monotonic() >= moment, 5, "the moment of the crash", interval=0.001)
        server.kill()
        workload.join()
        begin = time.monotonic()
        server.start()
        starts.append(time.monotonic() - begin)
        count = workload.verify()
        print(f"round {number}: {workload.acknowledged - before} acknowledged, {count} objects, "
              f"ready after {starts[-1]:.2f} s")
        before = workload.acknowledged
    assert workload.acknowledged > ROUNDS, "the clients got nothing done; this test showed nothing"
    left = [one for one in server.call("GET", "/v1/uploads").json()["uploads"] if one["resumable"]]
    assert left == []


@pytest.mark.timeout(300)
def test_load_leaks_neither_descriptors_nor_memory(new_server, seed):
    server = new_server().start()
    server.create_bucket("leak")
    descriptors, memory = [], []
    for number in range(4):
        workload = Workload(server, "leak", clients=16, seed=seed + number)
        workload.start()
        end = time.monotonic() + 4
        poll(lambda: time.monotonic() >= end, 10, "the load's end", interval=0.1)
        workload.join()
        poll(lambda: server.call("GET", "/v1/uploads").json()["uploads"] == [], 20, "no upload in progress")
        descriptors.append(server.descriptors())
        memory.append(server.memory_bytes())
        print(f"load {number}: {workload.acknowledged} writes, {descriptors[-1]} descriptors, "
              f"{memory[-1] / MIB:.0f} MiB")
    # Index files come and go, and the journal grows by segments.
    assert descriptors[-1] <= descriptors[0] + 40, descriptors
    assert memory[-1] <= memory[1] + 64 * MIB, [round(one / MIB) for one in memory]


def test_a_second_start_on_the_same_directory_is_refused(new_server):
    first = new_server().start()
    second = new_server()
    second.data = first.data
    second.spawn()
    assert second.process.wait(timeout=30) != 0
    words = (second.log() + second.output()).lower()
    assert "lock" in words or "in use" in words or "another" in words, words
    assert str(first.data) in second.log() + second.output(), "which directory?"
    assert len([line for line in words.splitlines() if line.strip()]) <= 3, "one clear line"
    assert first.call("GET", "/v1/health/ready").status == 200


@pytest.mark.parametrize("stop", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_cleanly_with_all_data(new_server, stop):
    import signal
    server = new_server().start()
    server.create_bucket("clean")
    for size in (0, 10, MIB, 5 * MIB):
        server.call("PUT", target("clean", str(size)), seeded(size))
    os.kill(server.pid, getattr(signal, stop))
    assert server.process.wait(timeout=30) == 0, server.log()[-2000:]
    server.start()
    for size in (0, 10, MIB, 5 * MIB):
        assert server.call("GET", target("clean", str(size))).body == seeded(size)


def test_sigterm_lets_a_running_upload_end(new_server):
    server = new_server().start()
    server.create_bucket("drain")
    data = seeded(4 * MIB)
    with server.place.connect() as connection:
        connection.sendall(f"PUT {target('drain', 'k')} HTTP/1.1\r\nHost: v\r\n"
                           f"Content-Length: {len(data)}\r\n\r\n".encode() + data[:MIB])
        poll(lambda: server.call("GET", "/v1/uploads").json()["uploads"], 20, "the upload in progress")
        server.process.terminate()
        poll(lambda: not accepts(server), 20, "no new requests while draining")
        connection.sendall(data[MIB:])
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 201 "), answer
    assert server.process.wait(timeout=30) == 0
    server.start()
    assert server.call("GET", target("drain", "k")).body == data


def accepts(server) -> bool:
    try:
        return server.call("GET", "/v1/health/ready", timeout=2).status == 200
    except Exception:  # refused or cut off: both mean no
        return False


# ---- damage on disk, done to copies of the data directory

BATCH_ALIGNMENT = 4096  # BatchFormat.alignment


def journal_files(data: Path) -> list[Path]:
    """The journal's segments, oldest first."""
    files = sorted(data.glob("segment-*"))
    assert files, f"no journal among {[path.name for path in data.iterdir()]}"
    return files


def holding(data: Path, needle: bytes) -> list[tuple[Path, int]]:
    """Where in the journal some bytes lie; reads what is allocated only."""
    found = []
    for path in journal_files(data):
        with open(path, "rb") as file:
            end = os.fstat(file.fileno()).st_size
            at = 0
            while at < end:
                try:
                    start = os.lseek(file.fileno(), at, os.SEEK_DATA)
                except OSError:
                    break
                at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                file.seek(start)
                content = file.read(min(at - start, 256 * MIB))
                where = content.find(needle)
                if where >= 0:
                    found.append((path, start + where))
    return found


def copy(data: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", "--sparse=always", str(data), str(to)], check=True)
    return to


def inspect(data: Path) -> subprocess.CompletedProcess:
    return subprocess.run([str(BINARY), "inspect", "--verify", str(data)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def crashed(new_server):
    """A killed server whose journal ends with one small batch: `before` was acknowledged, then `last`."""
    server = new_server().start()
    server.create_bucket("tail")
    before, last = seeded(3000, "before"), seeded(300, "last")
    assert server.call("PUT", target("tail", "before"), before).status == 201
    assert server.call("PUT", target("tail", "last"), last).status == 201
    server.kill()
    path, at = holding(server.data, last)[-1]
    first = holding(server.data, before)[-1]
    return server, before, last, path, at, first


@pytest.mark.timeout(600)
def test_a_tail_cut_at_every_byte_loses_the_last_batch_at_most(crashed, new_server):
    server, before, last, path, at, (first_path, first_at) = crashed
    # A batch begins at a multiple of 4 KiB: its header, the records' heads, the data, zeros.
    begin = at // BATCH_ALIGNMENT * BATCH_ALIGNMENT
    end = at + len(last) + 1
    assert (first_path, first_at // BATCH_ALIGNMENT) != (path, at // BATCH_ALIGNMENT), "one batch, not two"
    name = path.relative_to(server.data)
    step = 1 if EVERY_BYTE else 37
    outcomes = {"kept": 0, "lost": 0}
    for number, cut in enumerate(range(begin, end, step)):
        other = new_server()
        other.directory.mkdir(parents=True)
        copy(server.data, other.data)
        if number % 2:
            os.truncate(other.data / name, cut)
        else:
            with open(other.data / name, "r+b") as file:
                file.seek(cut)
                file.write(bytes(end - cut + MIB))
        seen = inspect(other.data)
        assert seen.returncode in (0, 1, 2), (cut, seen.stderr)
        other.start()
        assert other.call("GET", target("tail", "before")).body == before, cut
        answer = other.call("GET", target("tail", "last"))
        assert (answer.status, answer.body if answer.status == 200 else last) in [(200, last), (404, last)], cut
        outcomes["kept" if answer.status == 200 else "lost"] += 1
        if cut <= at:
            assert answer.status == 404, f"cut at {cut}, before its bytes, and still there"
        assert other.call("PUT", target("tail", "new"), b"new").status == 201
        other.restart()
        assert other.call("GET", target("tail", "new")).body == b"new", f"written behind the cut at {cut}"
        assert other.call("GET", target("tail", "before")).body == before, cut
        other.kill()
        shutil.rmtree(other.directory)
    print(outcomes)
    assert outcomes["lost"] > 0, "no cut hit the batch; this test showed nothing"


def test_damage_in_the_middle_is_reported_and_costs_nothing_else(new_server):
    server = new_server().start()
    server.create_bucket("middle")
    bodies = {f"k{number}": seeded(40_000 + number, number) for number in range(12)}
    for key, body in bodies.items():
        assert server.call("PUT", target("middle", key), body).status == 201
    big = seeded(3 * MIB, "big")
    server.call("PUT", target("middle", "big"), big)
    server.kill()
    victims = {"k4": bodies["k4"][20_000:20_064], "big": big[MIB + MIB // 2:MIB + MIB // 2 + 64]}
    for needle in victims.values():
        for path, at in holding(server.data, needle):
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(b"\xde\xad" * 32)
    seen = inspect(server.data)
    assert "damage" in (seen.stdout + seen.stderr).lower(), seen.stdout[-2000:]
    server.start()
    for key, body in bodies.items():
        answer = server.call("GET", target("middle", key))
        if key in victims:
            assert answer.status in (500, 503, 404) or digest(answer.body) == digest(body), key
            assert answer.body != body
        else:
            assert answer.body == body, key
    good = server.call("GET", target("middle", "big"), headers={"Range": "bytes=0-999"})
    assert good.status == 206 and good.body == big[:1000], "the undamaged part is served"
    received = read_as_far_as_possible(server, target("middle", "big"))
    assert len(received) < len(big) and big.startswith(received), "damage is never served, nor padded"
    assert server.call("PUT", target("middle", "k4"), b"again").status in (200, 201)
    assert server.call("GET", target("middle", "k4")).body == b"again"


def read_as_far_as_possible(server, path: str) -> bytes:
    import http.client
    try:
        answer = server.call("GET", path)
        return b"" if answer.status >= 400 else answer.body
    except http.client.IncompleteRead as error:
        return error.partial
    except OSError:
        return b""


def test_inspect_changes_nothing(new_server):
    server = new_server().start()
    server.create_bucket("look")
    server.call("PUT", target("look", "k"), seeded(100_000))
    server.kill()
    def prints():
        return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in
                server.data.rglob("*") if path.is_file()}
    before = prints()
    seen = inspect(server.data)
    assert seen.returncode == 0, seen.stderr
    assert seen.stdout.strip()
    assert prints() == before


@pytest.mark.parametrize("what", ["an empty file for a directory", "a file of ours that is foreign"])
def test_what_is_no_data_directory_is_refused(new_server, what):
    server = new_server()
    server.directory.mkdir(parents=True)
    if what.startswith("an empty"):
        server.data.write_text("")
    else:
        server.start()
        server.stop()
        for path in server.data.iterdir():
            if path.is_file() and path.stat().st_size and "lock" not in path.name.lower():
                path.write_bytes(b"\xff" * 64)
                break
        else:
            pytest.skip("no identity file at the top of the data directory")
    server.spawn()
    assert server.process.wait(timeout=30) != 0
    assert server.log().strip(), "a clear error"
    assert "fatal error" not in server.log().lower(), server.log()[-2000:]


def test_recovery_after_a_crash_in_the_start_itself(new_server, seed):
    server = new_server().start()
    server.create_bucket("start")
    for number in range(50):
        server.call("PUT", target("start", str(number)), seeded(10_000, number))
    moments = random.Random(seed)
    for _ in range(10):
        server.kill()
        server.spawn()
        moment = time.monotonic() + moments.uniform(0.0, 0.3)
        poll(lambda: time.monotonic() >= moment, 5, "the moment of the crash", interval=0.001)
    server.restart()
    with server.place.session() as session:
        assert len(listed(session, "start")) == 50
        for number in range(50):
            assert session.call("GET", target("start", str(number))).body == seeded(10_000, number)


def test_status_counts_what_is_there(new_server):
    server = new_server().start()
    server.create_bucket("count")
    for number in range(20):
        server.call("PUT", target("count", str(number)), seeded(1000, number))
    status = server.call("GET", "/v1/status").json()
    text = json.dumps(status)
    assert "journal" in status and "20" in text and "20000" in text, text
    server.restart()
    again = server.call("GET", "/v1/status").json()
    assert again.get("objects") == status.get("objects") and again.get("bytes") == status.get("bytes")
