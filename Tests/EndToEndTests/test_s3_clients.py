"""Clients that people have, unchanged, each at its real job: up, listed, down, compared, gone.

One file is large enough for each of them to send it in parts.
"""

from pathlib import Path

import pytest

from clients.files import assert_same, names, write_tree
from clients.programs import run, tool
from keyed import KEY, SECRET
from server import Server, poll


@pytest.fixture(scope="module")
def store(run_directory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        server = Server(run_directory / "s3-clients", ["--auth", "keys"]).start()
    poll(lambda: f"access key {KEY}" in server.output(), 30, "the first key is made")
    yield server
    server.kill()


@pytest.fixture
def tree(scratch) -> Path:
    """Files of several sizes, with names that need encoding."""
    return write_tree(scratch / "tree")


def test_awscli(store, tree, scratch):
    def aws(*words):
        return run([tool("aws"), "--endpoint-url", store.url, *words], AWS_ACCESS_KEY_ID=KEY,
                   AWS_SECRET_ACCESS_KEY=SECRET, AWS_DEFAULT_REGION="us-east-1")

    aws("s3", "mb", "s3://awscli")
    aws("s3", "sync", tree, "s3://awscli/t")
    listed = aws("s3", "ls", "--recursive", "s3://awscli/t/")
    assert len(listed.splitlines()) == len(names(tree)) and "sub/a b/large.bin" in listed
    aws("s3", "sync", "s3://awscli/t", scratch / "back")
    assert_same(tree, scratch / "back")
    aws("s3", "mv", "s3://awscli/t/small.txt", "s3://awscli/moved")
    aws("s3api", "put-object", "--bucket", "awscli", "--key", "new", "--body", tree / "small.txt", "--if-none-match", "*")
    aws("s3", "rm", "--recursive", "s3://awscli")
    assert aws("s3", "ls", "s3://awscli") == ""
    aws("s3", "rb", "s3://awscli")


def test_s3cmd(store, tree, scratch):
    def s3cmd(*words):
        place = f"{store.place.host}:{store.place.port}"
        return run([tool("s3cmd"), "--multipart-chunk-size-mb=5", "-c", "/dev/null", f"--host={place}", f"--host-bucket={place}", "--no-ssl",
                    f"--access_key={KEY}", f"--secret_key={SECRET}", "--no-progress", *words])

    s3cmd("mb", "s3://s3cmd-bucket")
    s3cmd("put", "-r", f"{tree}/", "s3://s3cmd-bucket/t/")
    assert len(s3cmd("ls", "-r", "s3://s3cmd-bucket").splitlines()) == len(names(tree))
    (scratch / "back").mkdir()
    s3cmd("get", "-r", "s3://s3cmd-bucket/t/", f"{scratch}/back/")
    assert_same(tree, scratch / "back")
    s3cmd("cp", "s3://s3cmd-bucket/t/small.txt", "s3://s3cmd-bucket/copy")
    assert "MD5 sum" in s3cmd("info", "s3://s3cmd-bucket/copy")
    s3cmd("del", "-r", "-f", "s3://s3cmd-bucket")
    s3cmd("rb", "s3://s3cmd-bucket")


def test_rclone(store, tree, scratch):
    file = scratch / "rclone.conf"
    file.write_text(f"[store]\ntype = s3\nprovider = Other\nendpoint = {store.url}\n"
                    f"access_key_id = {KEY}\nsecret_access_key = {SECRET}\n"
                    "upload_cutoff = 5M\nchunk_size = 5M\ncopy_cutoff = 6M\n")

    def rclone(*words):
        return run([tool("rclone"), "--config", file, *words])

    rclone("mkdir", "store:rclone")
    rclone("copy", tree, "store:rclone/t")
    rclone("check", tree, "store:rclone/t")
    rclone("copy", "store:rclone/t", scratch / "back")
    assert_same(tree, scratch / "back")
    rclone("copyto", "store:rclone/t/small.txt", "store:rclone/copy")
    assert rclone("lsf", "store:rclone") == "copy\nt/\n"
    rclone("purge", "store:rclone")
    assert rclone("lsd", "store:") == ""


def test_curl(store, scratch):
    def curl(*words):
        return run(["curl", "-sS", "--fail-with-body", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user",
                    f"{KEY}:{SECRET}", *words])

    file = scratch / "file"
    file.write_bytes(b"by curl")
    digest = "x-amz-content-sha256: UNSIGNED-PAYLOAD"
    curl("-X", "PUT", "-H", digest, f"{store.url}/curl-bucket")
    curl("-T", file, "-H", digest, f"{store.url}/curl-bucket/key")
    assert curl("-H", digest, f"{store.url}/curl-bucket/key") == "by curl"
