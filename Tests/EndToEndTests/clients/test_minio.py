"""MinIO's Python client, with parts in parallel."""

import concurrent.futures
import io
from datetime import timedelta

import requests
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.deleteobjects import DeleteObject

from clients.files import assert_same, names
from keyed import KEY, SECRET


def test_minio(store, tree, back):
    minio = Minio(store.host, access_key=KEY, secret_key=SECRET, secure=False)
    bucket = "minio-client"
    minio.make_bucket(bucket_name=bucket)
    assert minio.bucket_exists(bucket_name=bucket)

    def up(name):
        minio.fput_object(bucket_name=bucket, object_name=name, file_path=str(tree / name), part_size=5 << 20)

    def down(name):
        minio.fget_object(bucket_name=bucket, object_name=name, file_path=str(back / name))

    with store.losing_a_node(after=10), concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(up, sorted(names(tree))))
        list(pool.map(down, sorted(names(tree))))
    assert_same(tree, back)
    store.assert_holds(bucket, tree)
    listed = {one.object_name for one in minio.list_objects(bucket_name=bucket, recursive=True)}
    assert listed == names(tree)
    stream = io.BytesIO(b"of unknown length" * 500_000)
    minio.put_object(bucket_name=bucket, object_name="stream", data=stream, length=-1, part_size=5 << 20)
    assert minio.stat_object(bucket_name=bucket, object_name="stream").size == 8_500_000
    minio.copy_object(bucket_name=bucket, object_name="copy", source=CopySource(bucket_name=bucket, object_name="small.txt"))
    sources = [ComposeSource(bucket_name=bucket, object_name=name)
               for name in ("sub/in parts.bin", "sub/in parts.bin", "small.txt")]
    minio.compose_object(bucket_name=bucket, object_name="composed", sources=sources)
    large = (tree / "sub/in parts.bin").read_bytes()
    with minio.get_object(bucket_name=bucket, object_name="composed") as answer:
        assert answer.read() == large + large + (tree / "small.txt").read_bytes()
    url = minio.presigned_get_object(bucket_name=bucket, object_name="copy", expires=timedelta(hours=1))
    assert requests.get(url, timeout=60).content == (tree / "small.txt").read_bytes()
    everything = [DeleteObject(name=one.object_name)
                  for one in minio.list_objects(bucket_name=bucket, recursive=True)]
    assert list(minio.remove_objects(bucket_name=bucket, delete_object_list=everything)) == []
    minio.remove_bucket(bucket_name=bucket)
    store.assert_gone(bucket)
