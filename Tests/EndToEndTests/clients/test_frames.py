"""Tables in Parquet files: DuckDB's httpfs and Polars."""

import duckdb
import polars
import pytest
from duckdb_extensions import import_extension

from clients.files import ROWS
from keyed import KEY, SECRET


@pytest.fixture
def duck(store, scratch):
    """A connection that knows the store; the extension comes in a PyPI package."""
    connection = duckdb.connect(config={
        "extension_directory": str(scratch / "extensions"), "home_directory": str(scratch)})
    import_extension("httpfs", con=connection)
    connection.load_extension("httpfs")
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', ENDPOINT '{store.host}', "
        "REGION 'us-east-1', URL_STYLE 'path', USE_SSL false)")
    return connection


def empty(store, bucket):
    client = store.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for one in page.get("Contents", []):
            client.delete_object(Bucket=bucket, Key=one["Key"])
    client.delete_bucket(Bucket=bucket)
    store.assert_gone(bucket)


def test_duckdb(store, duck, table):
    store.client().create_bucket(Bucket="duckdb")
    duck.register("rows_here", table)
    with store.losing_a_node(after=4):
        duck.execute("COPY rows_here TO 's3://duckdb/one file.parquet' (FORMAT parquet)")
        duck.execute("COPY (SELECT * FROM rows_here) TO 's3://duckdb/parts' "
                     "(FORMAT parquet, PARTITION_BY (\"group\"))")
        one = duck.execute("SELECT count(*), sum(half) FROM 's3://duckdb/one file.parquet'").fetchone()
        assert one == (ROWS, sum(range(ROWS)) / 2)
    several = duck.execute(
        "SELECT \"group\", count(*) FROM read_parquet('s3://duckdb/parts/**/*.parquet', "
        "hive_partitioning = true) GROUP BY 1 ORDER BY 1").fetchall()
    assert sum(count for _, count in several) == ROWS and len(several) == 7
    few = duck.execute("SELECT half FROM 's3://duckdb/one file.parquet' WHERE number = 77777").fetchall()
    assert few == [(77777 / 2,)]
    empty(store, "duckdb")


def test_polars(store, table):
    store.client().create_bucket(Bucket="polars")
    options = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_region": "us-east-1",
               "aws_endpoint_url": store.url, "aws_allow_http": "true"}
    frame = polars.from_arrow(table)
    with store.losing_a_node(after=3):
        for number in range(6):
            part = frame.filter(polars.col("number") % 6 == number)
            part.write_parquet(f"s3://polars/t/part {number}.parquet", storage_options=options)
        back = polars.scan_parquet("s3://polars/t/*.parquet", storage_options=options)
        assert back.collect().sort("number").equals(frame)
    total = back.filter(polars.col("group") == "g3").select(polars.col("half").sum()).collect().item()
    assert total == sum(number / 2 for number in range(3, ROWS, 7))
    frame.lazy().sink_parquet("s3://polars/sunk.parquet", storage_options=options)
    assert polars.read_parquet("s3://polars/sunk.parquet", storage_options=options).equals(frame)
    empty(store, "polars")
