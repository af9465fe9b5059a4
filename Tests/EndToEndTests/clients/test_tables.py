"""deltalake and lancedb: tables whose commits are conditional writes. Writers at once, none of whose commits is lost."""

import threading

import deltalake
import lancedb

from clients.commits import ALL, COMMITS, WRITERS, options, rows, write_at_once


def test_deltalake(store, bucket):
    url, known = f"s3://{bucket}/table", {**options(store), "conditional_put": "etag"}
    deltalake.write_deltalake(url, rows(0, 0).slice(0, 0), storage_options=known)
    write_at_once(store, lambda writer, number: deltalake.write_deltalake(
        url, rows(writer, number), mode="append", storage_options=known))
    table = deltalake.DeltaTable(url, storage_options=known)
    assert sorted(table.to_pyarrow_table()["n"].to_pylist()) == ALL
    assert table.version() == WRITERS * COMMITS
    table.delete("writer = 1")
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    table = deltalake.DeltaTable(url, storage_options=known)
    assert table.to_pyarrow_table().num_rows == len(ALL) * (WRITERS - 1) // WRITERS


def test_lancedb(store, bucket):
    def connection():
        return lancedb.connect(f"s3://{bucket}/lance", storage_options=options(store))

    connection().create_table("t", rows(0, 0).slice(0, 0))
    tables = threading.local()

    def commit(writer, number):
        if not hasattr(tables, "mine"):
            tables.mine = connection().open_table("t")
        tables.mine.add(rows(writer, number))

    write_at_once(store, commit)
    table = connection().open_table("t")
    assert sorted(table.to_arrow()["n"].to_pylist()) == ALL
    table.delete("writer = 1")
    assert table.count_rows() == len(ALL) * (WRITERS - 1) // WRITERS
    connection().drop_table("t")
