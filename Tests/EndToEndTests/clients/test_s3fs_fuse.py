"""s3fs-fuse, Debian's: a bucket as a directory."""

from clients.files import assert_same, names
from clients.programs import mounted, run, system_tool
from keyed import KEY, SECRET


def test_s3fs_fuse(store, tree, scratch):
    store.client().create_bucket(Bucket="s3fs-fuse")
    passwords = scratch / "passwords"
    passwords.write_text(f"{KEY}:{SECRET}\n")
    passwords.chmod(0o600)
    words = [system_tool("s3fs"), "s3fs-fuse", scratch / "m", "-f", "-o",
             f"url={store.url},use_path_request_style,passwd_file={passwords},multipart_size=5,"
             "endpoint=us-east-1,sigv4,parallel_count=4"]
    with store.losing_a_node(after=20), mounted(words, scratch / "m", scratch / "log") as point:
        run(["cp", "-r", f"{tree}/.", point])
        run(["mv", point / "small.txt", point / "renamed"])
        run(["mv", point / "renamed", point / "small.txt"])
        with open(point / "small.txt", "ab") as file:
            file.write(b"and more")
        with open(point / "small.txt", "r+b") as file:
            file.truncate(3)
    store.assert_holds("s3fs-fuse", tree)
    with mounted(words, scratch / "m", scratch / "log") as point:
        assert names(point) == names(tree)
        assert_same(tree, point)
        run(["rm", "-r", *point.iterdir()])
        assert list(point.iterdir()) == []
    store.client().delete_bucket(Bucket="s3fs-fuse")
    store.assert_gone("s3fs-fuse")
