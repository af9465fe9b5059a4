"""obstore: Rust's object_store, with its create and update modes (conditional writes)."""

import concurrent.futures

import obstore
import pytest
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from clients.files import assert_same, names
from keyed import KEY, SECRET

WRITERS, ROUNDS = 8, 10


@pytest.fixture
def objects(store):
    store.client().create_bucket(Bucket="obstore")
    return S3Store(
        "obstore", endpoint=store.url, access_key_id=KEY, secret_access_key=SECRET,
        region="us-east-1", virtual_hosted_style_request=False, client_options={"allow_http": True})


def test_obstore(store, objects, tree, back):
    with store.losing_a_node(after=10):
        for name in sorted(names(tree)):
            obstore.put(objects, name, tree / name, chunk_size=5 << 20, max_concurrency=6)
        for name in sorted(names(tree)):
            path = back / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                for chunk in obstore.get(objects, name):
                    file.write(chunk)
    assert_same(tree, back)
    store.assert_holds("obstore", tree)
    listed = {one["path"] for page in obstore.list(objects) for one in page}
    assert listed == names(tree)
    obstore.copy(objects, "ünï+cödé &.bin", "copy + of it")
    obstore.rename(objects, "small.txt", "renamed")
    assert obstore.get_range(objects, "copy + of it", start=5, end=9) \
        == (tree / "ünï+cödé &.bin").read_bytes()[5:9]

    def create(number):
        try:
            obstore.put(objects, "once", str(number).encode(), mode="create")
            return [number]
        except AlreadyExistsError:
            return []

    def increment(number):
        for _ in range(ROUNDS):
            while True:
                got = obstore.get(objects, "counter")
                version = {"e_tag": got.meta["e_tag"]}
                value = str(int(bytes(got.bytes())) + 1).encode()
                try:
                    obstore.put(objects, "counter", value, mode=version)
                    break
                except PreconditionError:
                    continue

    obstore.put(objects, "counter", b"0")
    with store.losing_a_node(after=10), concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        winners = sum(pool.map(create, range(20)), [])
        list(pool.map(increment, range(WRITERS)))
    assert len(winners) == 1 and bytes(obstore.get(objects, "once").bytes()) == str(winners[0]).encode()
    assert int(bytes(obstore.get(objects, "counter").bytes())) == WRITERS * ROUNDS
    obstore.delete(objects, [one["path"] for page in obstore.list(objects) for one in page])
    store.client().delete_bucket(Bucket="obstore")
    store.assert_gone("obstore")
