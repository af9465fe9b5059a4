"""rclone, Debian's of 2022 and today's."""

import pytest

from clients.files import assert_same, names
from clients.programs import mounted, run, system_tool, tool
from keyed import KEY, SECRET


@pytest.fixture(params=["debian", "pypi"])
def rclone(request, store, scratch):
    """The program's words, with a configuration that knows the store."""
    file = scratch / "rclone.conf"
    file.write_text(
        f"[store]\ntype = s3\nprovider = Other\nendpoint = {store.url}\nregion = us-east-1\n"
        f"access_key_id = {KEY}\nsecret_access_key = {SECRET}\n"
        "upload_cutoff = 5M\nchunk_size = 5M\ncopy_cutoff = 6M\n")
    find = system_tool if request.param == "debian" else tool
    return [find("rclone"), "--config", file, "--cache-dir", scratch / "cache"]


def test_it_copies_checks_and_purges(store, rclone, tree, back):
    def call(*words):
        return run([*rclone, *words])

    call("mkdir", "store:rclone")
    with store.losing_a_node(after=10):
        call("copy", tree, "store:rclone/t")
        call("check", "--download", tree, "store:rclone/t")
        call("copy", "store:rclone/t", back)
    assert_same(tree, back)
    store.assert_holds("rclone", tree, "t/")
    call("check", tree, "store:rclone/t")
    call("copyto", "store:rclone/t/small.txt", "store:rclone/copy")
    call("moveto", "store:rclone/t/sub/in parts.bin", "store:rclone/t/moved")
    assert call("lsf", "store:rclone") == "copy\nt/\n"
    with store.losing_a_node():
        call("purge", "store:rclone")
    assert "rclone" not in call("lsf", "store:")
    store.assert_gone("rclone")


def test_its_mount(store, rclone, tree, scratch):
    run([*rclone, "mkdir", "store:rclone-mount"])
    words = [*rclone, "mount", "store:rclone-mount", scratch / "m", "--vfs-cache-mode", "writes",
             "--vfs-write-back", "0s"]
    with store.losing_a_node(after=10), mounted(words, scratch / "m", scratch / "log") as point:
        run(["cp", "-r", f"{tree}/.", point])
        run(["mv", point / "small.txt", point / "renamed"])
        assert (point / "sub/in parts.bin").read_bytes() == (tree / "sub/in parts.bin").read_bytes()
    run([*rclone, "moveto", "store:rclone-mount/renamed", "store:rclone-mount/small.txt"])
    store.assert_holds("rclone-mount", tree)
    with mounted(words, scratch / "m", scratch / "log") as point:
        assert names(point) == names(tree)
        run(["diff", "-r", tree, point])
        run(["rm", "-r", *point.iterdir()])
    run([*rclone, "rmdir", "store:rclone-mount"])
    store.assert_gone("rclone-mount")
