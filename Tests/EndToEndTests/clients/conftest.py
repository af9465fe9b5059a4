"""Three nodes for all clients' tests, and what each is given to do."""

import pytest

from clients.files import ROWS, write_job
from clients.store import Store
from keyed import KEY, SECRET, keyed_cluster


@pytest.fixture(scope="session")
def cluster_of_clients(run_directory):
    with keyed_cluster(run_directory / "clients") as cluster:
        yield Store(cluster)


@pytest.fixture
def store(cluster_of_clients):
    """Three nodes, whole."""
    cluster_of_clients.heal()
    return cluster_of_clients


@pytest.fixture
def signer(store):
    """boto3 that presigns by version 4: it does so only where it is told."""
    import boto3
    import botocore.config
    return boto3.client(
        "s3", endpoint_url=store.url, aws_access_key_id=KEY, aws_secret_access_key=SECRET,
        region_name="us-east-1", config=botocore.config.Config(signature_version="s3v4"))


@pytest.fixture(scope="session")
def tree(run_directory):
    """Files to bring up; nobody changes them."""
    return write_job(run_directory / "tree")


@pytest.fixture
def back(scratch):
    """An empty directory to get them back to."""
    path = scratch / "back"
    path.mkdir()
    return path


@pytest.fixture
def bucket(store, request):
    """A bucket of the test's own, emptied afterwards."""
    name = request.node.name.replace("_", "-")
    client = store.client()
    client.create_bucket(Bucket=name)
    yield name
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
        assert not keys or "Errors" not in client.delete_objects(Bucket=name, Delete={"Objects": keys})
    client.delete_bucket(Bucket=name)
    store.assert_gone(name)


@pytest.fixture
def table():
    """Rows for a Parquet file of some MiB."""
    import pyarrow
    return pyarrow.table({
        "number": range(ROWS), "half": [number / 2 for number in range(ROWS)],
        "group": [f"g{number % 7}" for number in range(ROWS)]})
