"""PyArrow's own S3 client, which is Amazon's SDK for C++."""

import concurrent.futures

import pyarrow
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet

from clients.files import ROWS
from keyed import KEY, SECRET


def test_pyarrow(store, table):
    files = pyarrow.fs.S3FileSystem(
        access_key=KEY, secret_key=SECRET, endpoint_override=store.host, scheme="http",
        region="us-east-1", allow_bucket_creation=True, allow_bucket_deletion=True)
    files.create_dir("pyarrow")

    def job(number):
        path = f"pyarrow/t/part={number}/file.parquet"
        pyarrow.parquet.write_table(table.slice(number * ROWS // 10, ROWS // 10), path, filesystem=files)
        return pyarrow.parquet.read_table(path, filesystem=files).num_rows

    with store.losing_a_node(after=5), concurrent.futures.ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(job, range(10))) == ROWS
    dataset = pyarrow.dataset.dataset("pyarrow/t", filesystem=files, partitioning="hive")
    assert dataset.to_table(columns=table.column_names).sort_by("number").equals(table)
    with files.open_output_stream("pyarrow/large") as stream:
        for number in range(25):
            stream.write(bytes([number]) * 1_000_000)
    with files.open_input_file("pyarrow/large") as file:
        assert file.size() == 25_000_000 and file.read_at(3, 23_999_999) == b"\x17\x18\x18"
    files.copy_file("pyarrow/large", "pyarrow/copy of + large")
    files.move("pyarrow/copy of + large", "pyarrow/moved")
    found = files.get_file_info(pyarrow.fs.FileSelector("pyarrow", recursive=True))
    assert {one.base_name for one in found if one.is_file} >= {"large", "moved", "file.parquet"}
    files.delete_dir_contents("pyarrow")
    files.delete_dir("pyarrow")
    store.assert_gone("pyarrow")
