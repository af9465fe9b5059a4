"""The command line over connections that break: what was sent is not sent again, what arrives is whole."""

import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from payload import MIB, file_digest, write_file
from server import BINARY, poll


class Cutter:
    """Passes bytes on to a server, and resets its first connections after so many bytes each."""

    def __init__(self, port: int, cuts: int, after: int, rate: float | None = None):
        self.port, self.left, self.after, self.rate = port, cuts, after, rate
        self.passed = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            pair = client, socket.create_connection(("127.0.0.1", self.port))
            seen = [0]
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(source, sink, pair, seen), daemon=True).start()

    def _pump(self, source, sink, pair, seen):
        try:
            while data := source.recv(1 << 16):
                sink.sendall(data)
                seen[0] += len(data)
                with self.lock:
                    self.passed += len(data)
                    cut = self.left > 0 and seen[0] > self.after
                    self.left -= cut
                if cut:
                    break
                if self.rate:
                    time.sleep(len(data) / self.rate)
        except OSError:
            pass
        for end in pair:
            try:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
                end.close()
            except OSError:
                pass

    def close(self):
        self.listener.close()


@pytest.fixture
def cutter(server):
    made = []

    def make(**words) -> Cutter:
        made.append(Cutter(server.place.port, **words))
        return made[-1]

    yield make
    for one in made:
        one.close()


def vortex(url: str, *words, code: int = 0) -> subprocess.CompletedProcess:
    done = subprocess.run([str(BINARY), *map(str, words)], capture_output=True, timeout=150,
                          env={**os.environ, "VORTEX_URL": url})
    assert done.returncode == code, (words, done.returncode, done.stderr[-1000:])
    return done


def test_a_large_put_goes_on_where_it_was_cut(server, bucket, scratch, cutter):
    sent = write_file(scratch / "big", 80 * MIB)
    way = cutter(cuts=3, after=15 * MIB)
    vortex(way.url, "put", scratch / "big", f"{bucket}/big")
    assert way.left == 0
    assert way.passed < 80 * MIB + 3 * 24 * MIB, "it began again from the start"
    vortex(server.url, "get", f"{bucket}/big", scratch / "back")
    assert file_digest(scratch / "back") == sent


def test_a_small_put_is_repeated_and_its_condition_does_not_meet_itself(server, bucket, scratch, cutter):
    sent = write_file(scratch / "small", 12 * MIB)
    way = cutter(cuts=2, after=8 * MIB)
    vortex(way.url, "put", "--no-overwrite", scratch / "small", f"{bucket}/small")
    assert way.left == 0
    vortex(server.url, "get", f"{bucket}/small", scratch / "back")
    assert file_digest(scratch / "back") == sent
    vortex(server.url, "put", "--no-overwrite", scratch / "small", f"{bucket}/small", code=5)


def test_a_get_goes_on_where_it_was_cut(server, bucket, scratch, cutter):
    sent = write_file(scratch / "big", 60 * MIB)
    vortex(server.url, "put", scratch / "big", f"{bucket}/big")
    way = cutter(cuts=3, after=15 * MIB)
    vortex(way.url, "get", f"{bucket}/big", scratch / "back")
    assert way.left == 0 and file_digest(scratch / "back") == sent
    way = cutter(cuts=2, after=15 * MIB)
    (scratch / "piped").write_bytes(vortex(way.url, "cat", f"{bucket}/big").stdout)
    assert way.left == 0 and file_digest(scratch / "piped") == sent


def test_an_interrupted_put_says_how_to_go_on(server, bucket, scratch, cutter):
    sent = write_file(scratch / "big", 80 * MIB)
    way = cutter(cuts=0, after=0, rate=20e6)
    running = subprocess.Popen([str(BINARY), "put", str(scratch / "big"), f"{bucket}/big"],
                               stderr=subprocess.PIPE, env={**os.environ, "VORTEX_URL": way.url})
    poll(lambda: way.passed > 8 * MIB, 30, "the upload runs")
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1].decode()
    assert running.returncode == 130, said
    upload = said.split("--resume ")[1].split()[0]
    vortex(server.url, "put", "--resume", upload, scratch / "big", f"{bucket}/other", code=1)
    vortex(server.url, "put", "--resume", upload, scratch / "big", f"{bucket}/big")
    vortex(server.url, "get", f"{bucket}/big", scratch / "back")
    assert file_digest(scratch / "back") == sent


def test_an_interrupted_get_leaves_nothing(server, bucket, scratch, cutter):
    write_file(scratch / "big", 40 * MIB)
    vortex(server.url, "put", scratch / "big", f"{bucket}/big")
    way = cutter(cuts=0, after=0, rate=20e6)
    (scratch / "into").mkdir()
    running = subprocess.Popen([str(BINARY), "get", f"{bucket}/big", str(scratch / "into/back")],
                               stderr=subprocess.DEVNULL, env={**os.environ, "VORTEX_URL": way.url})
    poll(lambda: way.passed > 4 * MIB, 30, "the download runs")
    running.terminate()
    assert running.wait(timeout=30) == 130
    assert not list((scratch / "into").iterdir())


def test_a_pipe_is_written_to_and_not_replaced(server, bucket, scratch):
    sent = write_file(scratch / "file", MIB)
    vortex(server.url, "put", scratch / "file", f"{bucket}/file")
    os.mkfifo(scratch / "pipe")
    with open(scratch / "copy", "wb") as copy:
        reader = subprocess.Popen(["cat", str(scratch / "pipe")], stdout=copy)
        vortex(server.url, "get", f"{bucket}/file", scratch / "pipe")
        assert reader.wait(timeout=30) == 0
    assert (scratch / "pipe").is_fifo() and file_digest(scratch / "copy") == sent
