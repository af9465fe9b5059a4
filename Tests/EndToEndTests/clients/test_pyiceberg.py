"""pyiceberg with a catalogue in SQLite, PyArrow's S3 client below: writers at once, none of whose commits is lost."""

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException

from clients.commits import ALL, COMMITS, WRITERS, rows, write_at_once
from keyed import KEY, SECRET


def test_pyiceberg(store, bucket, scratch):
    def catalog():
        return SqlCatalog("c", **{
            "uri": f"sqlite:///{scratch}/catalog.db?timeout=60", "warehouse": f"s3://{bucket}/warehouse",
            "s3.endpoint": store.url, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET,
            "s3.region": "us-east-1"})

    first = catalog()
    first.create_namespace("n")
    first.create_table("n.t", rows(0, 0).schema)

    def commit(writer, number):
        for _ in range(50):
            try:
                catalog().load_table("n.t").append(rows(writer, number))
                return
            except CommitFailedException:
                continue
        raise AssertionError("50 commits were beaten by others")

    write_at_once(store, commit)
    table = catalog().load_table("n.t")
    assert sorted(table.scan().to_arrow()["n"].to_pylist()) == ALL
    assert len(table.snapshots()) == WRITERS * COMMITS
    table.delete("writer = 1")
    assert table.scan(row_filter="n < 1000").to_arrow().num_rows == 500
    first.purge_table("n.t")
