"""Three nodes for all clients' tests, and what each is given to do."""

import pytest

from clients.files import write_job
from clients.store import Store
from keyed import keyed_cluster


@pytest.fixture(scope="session")
def cluster_of_clients(run_directory):
    with keyed_cluster(run_directory / "clients") as cluster:
        yield Store(cluster)


@pytest.fixture
def store(cluster_of_clients):
    """Three nodes, whole."""
    cluster_of_clients.heal()
    return cluster_of_clients


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
