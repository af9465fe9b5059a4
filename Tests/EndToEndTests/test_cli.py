"""The command line: what scripts rely on is its exit code, its standard output and one line per error."""

import os
import subprocess

import pytest

from payload import MIB, blocks, file_digest, seeded, write_file
from server import BINARY, poll
from wire import target


@pytest.fixture
def vortex(server):
    def run(*words, data: bytes | None = None, code: int | None = 0, cwd=None) -> subprocess.CompletedProcess:
        source = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run([str(BINARY), *map(str, words)], capture_output=True, timeout=120, cwd=cwd,
                              env={**os.environ, "VORTEX_URL": server.url}, **source)
        if code is not None:
            assert done.returncode == code, (words, done.returncode, done.stdout[-500:], done.stderr[-1000:])
        return done
    return run


def test_put_and_get_are_inverse(vortex, bucket, scratch):
    for size in (0, 1, 70_000, 5 * MIB + 3):
        sent = write_file(scratch / "in", size, seed=size)
        vortex("put", scratch / "in", f"{bucket}/dir/file-{size}")
        vortex("get", f"{bucket}/dir/file-{size}", scratch / "out")
        assert file_digest(scratch / "out") == sent
        os.remove(scratch / "out")


def test_put_into_a_bucket_or_a_prefix_keeps_the_files_name(vortex, server, bucket, scratch):
    (scratch / "name.txt").write_text("x")
    vortex("put", scratch / "name.txt", f"{bucket}/")
    vortex("put", scratch / "name.txt", f"{bucket}/sub/")
    assert server.call("GET", target(bucket, "name.txt")).body == b"x"
    assert server.call("GET", target(bucket, "sub/name.txt")).body == b"x"


def test_standard_input_and_output_are_a_dash(vortex, bucket):
    data = b"".join(blocks(3 * MIB + 1))
    vortex("put", "-", f"{bucket}/piped", data=data)
    assert vortex("get", f"{bucket}/piped", "-").stdout == data
    assert vortex("cat", f"{bucket}/piped").stdout == data


def test_a_tree_goes_in_and_comes_out(vortex, bucket, scratch):
    tree = scratch / "tree"
    files = {"a": b"1", "dir/b": b"2", "dir/deep/er/c d": b"3" * 100_000, "ä/🐙": b"4", "empty": b""}
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    vortex("put", "-r", tree, f"{bucket}/up/")
    listed = vortex("ls", "-r", f"{bucket}/").stdout.decode()
    for name in files:
        assert name in listed, listed
    vortex("get", "-r", f"{bucket}/up/", scratch / "back")
    found = {str(path.relative_to(scratch / "back")): path.read_bytes()
             for path in (scratch / "back").rglob("*") if path.is_file()}
    stripped = {name.removeprefix("tree/"): data for name, data in found.items()}
    assert stripped == files


def test_a_key_cannot_lead_out_of_the_directory(vortex, server, bucket, scratch):
    for key in ("esc/../../../evil", "esc//etc/evil", "esc/ok"):
        server.call("PUT", target(bucket, key), b"x")
    inner = scratch / "inner" / "deeper"
    inner.mkdir(parents=True)
    vortex("get", "-r", f"{bucket}/esc/", inner, code=None)
    assert not list(scratch.glob("evil")) and not list((scratch / "inner").glob("evil"))
    assert not os.path.exists("/etc/evil")


def test_ls_rm_stat_and_bucket(vortex, server, bucket):
    vortex("bucket", "create", "cli-bucket")
    assert server.call("GET", "/v1/buckets/cli-bucket").status == 200
    assert "cli-bucket" in vortex("bucket", "ls").stdout.decode()
    vortex("bucket", "rm", "cli-bucket")
    assert server.call("GET", "/v1/buckets/cli-bucket").status == 404
    vortex("put", "-", f"{bucket}/one", data=b"12345")
    assert "one" in vortex("ls", bucket).stdout.decode()
    stat = vortex("stat", f"{bucket}/one").stdout.decode()
    assert "5" in stat and server.call("HEAD", target(bucket, "one")).header("ETag").strip('"') in stat
    vortex("rm", f"{bucket}/one")
    assert server.call("GET", target(bucket, "one")).status == 404
    assert vortex("status").stdout.strip()


@pytest.mark.parametrize("words", [
    ("get", "{b}/absent", "-"), ("cat", "{b}/absent"), ("stat", "{b}/absent"), ("get", "no-such-bucket-here/k", "-"),
    ("put", "/no/such/file", "{b}/k"), ("ls", "no-such-bucket-here"), ("nonsense",), ("put",), ("get", "{b}"),
])
def test_an_error_is_one_line_and_not_exit_code_0(vortex, bucket, words):
    done = vortex(*[word.format(b=bucket) for word in words], code=None)
    assert done.returncode != 0
    lines = [line for line in done.stderr.decode().splitlines() if line.strip()]
    assert lines and "Fatal error" not in done.stderr.decode()
    if words[0] not in ("nonsense",) and len(words) > 1 and words != ("get", "{b}"):
        assert len(lines) == 1, lines
    assert done.stdout == b"", "an error on standard output would end up in a file"


def test_a_failed_get_leaves_no_file(vortex, bucket, scratch):
    vortex("get", f"{bucket}/absent", scratch / "out", code=None)
    assert not (scratch / "out").exists()


def test_no_server_is_said_plainly(scratch):
    done = subprocess.run([str(BINARY), "stat", "bucket/key"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "VORTEX_URL": "http://127.0.0.1:9"})
    assert done.returncode != 0 and "127.0.0.1:9" in done.stderr, done.stderr


@pytest.mark.parametrize("words", [[], ["server"], ["put"], ["get"], ["ls"], ["inspect"], ["bench"]])
def test_help_teaches(words):
    done = subprocess.run([str(BINARY), *words, "--help"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and len(done.stdout.splitlines()) >= 5
    assert "USAGE" in done.stdout.upper()


def test_a_killed_put_is_resumed_where_it_ended(vortex, server, bucket, scratch):
    sent = write_file(scratch / "big", 640 * MIB)
    running = subprocess.Popen([str(BINARY), "put", str(scratch / "big"), f"{bucket}/resumed"],
                               env={**os.environ, "VORTEX_URL": server.url}, stderr=subprocess.DEVNULL)

    def mine():
        uploads = server.call("GET", "/v1/uploads").json()["uploads"]
        return [one for one in uploads if one["bucket"] == bucket and one["offset"] >= MIB]
    try:
        poll(mine, 30, "the upload's first bytes", interval=0.005)
    finally:
        running.kill()
        running.wait()
    upload = poll(mine, 5, "the upload is still there")[0]
    assert upload["resumable"] is True and upload["offset"] < 640 * MIB, "too fast to be killed in the middle"
    poll(lambda: resumes(vortex, upload["id"], scratch / "big", f"{bucket}/resumed"), 60, "resuming")
    vortex("get", f"{bucket}/resumed", scratch / "back")
    assert file_digest(scratch / "back") == sent
    assert not mine(), "left behind"


def resumes(vortex, upload: str, file, where: str) -> bool:
    """False while the server still holds the killed client's part of the upload."""
    done = vortex("put", "--resume", upload, file, where, code=None)
    assert done.returncode == 0 or b"upload" in done.stderr.lower(), done.stderr
    return done.returncode == 0


def test_get_does_not_touch_a_file_until_it_is_whole(vortex, server, bucket, scratch):
    server.call("PUT", target(bucket, "k"), seeded(100))
    (scratch / "out").write_text("old")
    vortex("get", f"{bucket}/k", scratch / "out", code=None)
    assert (scratch / "out").read_bytes() in (b"old", seeded(100))
