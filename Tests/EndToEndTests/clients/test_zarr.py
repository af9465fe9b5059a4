"""zarr: arrays whose chunks are objects, written by many at once, over obstore and over fsspec."""

import numpy
import pytest
import zarr
from obstore.store import S3Store
from zarr.storage import FsspecStore, ObjectStore

from keyed import KEY, SECRET


def by_obstore(store):
    return ObjectStore(S3Store(
        "zarr-arrays", prefix="obstore", endpoint=store.url, access_key_id=KEY, secret_access_key=SECRET,
        region="us-east-1", virtual_hosted_style_request=False, client_options={"allow_http": True}))


def by_fsspec(store):
    return FsspecStore.from_url("s3://zarr-arrays/fsspec", storage_options={
        "key": KEY, "secret": SECRET, "endpoint_url": store.url,
        "client_kwargs": {"region_name": "us-east-1"}})


@pytest.mark.parametrize("way", [by_obstore, by_fsspec])
def test_zarr(store, way):
    store.client().create_bucket(Bucket="zarr-arrays")
    expected = numpy.random.default_rng(1).integers(0, 1 << 40, (1_000, 700))
    with store.losing_a_node(after=10):
        root = zarr.create_group(store=way(store), overwrite=True)
        array = root.create_array("a", shape=expected.shape, chunks=(100, 100), dtype=expected.dtype)
        array[:] = expected
        array[250:260, :] = 7
    expected[250:260, :] = 7
    again = zarr.open_group(store=way(store), mode="a")
    assert (again["a"][:] == expected).all()
    assert (again["a"][995:, 3:5] == expected[995:, 3:5]).all()
    keys = [one["Key"] for one in store.client(2).list_objects_v2(Bucket="zarr-arrays")["Contents"]]
    assert len([key for key in keys if "/c/" in key]) == 70
    with store.losing_a_node(after=1):
        del again["a"]
    left = store.client().list_objects_v2(Bucket="zarr-arrays").get("Contents", [])
    assert not [one["Key"] for one in left if "/a/" in one["Key"]]
