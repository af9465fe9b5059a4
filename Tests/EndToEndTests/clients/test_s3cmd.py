"""s3cmd, Debian's."""

from clients.files import assert_same, names
from clients.programs import run, system_tool
from keyed import KEY, SECRET


def test_s3cmd(store, tree, back):
    def s3cmd(*words):
        return run([
            system_tool("s3cmd"), "-c", "/dev/null", f"--host={store.host}",
            f"--host-bucket={store.host}", "--no-ssl", f"--access_key={KEY}",
            f"--secret_key={SECRET}", "--multipart-chunk-size-mb=5", "--no-progress", *words])

    s3cmd("mb", "s3://s3cmd-bucket")
    with store.losing_a_node():
        s3cmd("put", "-r", f"{tree}/", "s3://s3cmd-bucket/t/")
        assert len(s3cmd("ls", "-r", "s3://s3cmd-bucket").splitlines()) == len(names(tree))
        s3cmd("get", "-r", "s3://s3cmd-bucket/t/", f"{back}/")
    assert_same(tree, back)
    store.assert_holds("s3cmd-bucket", tree, "t/")
    assert "upload:" not in s3cmd("sync", f"{tree}/", "s3://s3cmd-bucket/t/"), "nothing has changed"
    s3cmd("cp", "s3://s3cmd-bucket/t/small.txt", "s3://s3cmd-bucket/copy")
    assert "MD5 sum" in s3cmd("info", "s3://s3cmd-bucket/copy")
    with store.losing_a_node(after=1):
        s3cmd("del", "-r", "-f", "s3://s3cmd-bucket")
        s3cmd("rb", "s3://s3cmd-bucket")
    store.assert_gone("s3cmd-bucket")
