"""What every test gets: a server that all share and a bucket of its own, or a server of its own.

Settings: VORTEX_BINARY (default .build/release/vortex), VORTEX_E2E_DIR (a directory on a real disk;
default .build-e2e), VORTEX_E2E_BIG=1 (5 GiB objects), VORTEX_E2E_ROUNDS (crash rounds, default 8),
VORTEX_E2E_OBJECTS (default 100000), VORTEX_E2E_FUZZ_SECONDS (default 15), VORTEX_E2E_FAULT_SECONDS
(random faults in a cluster, default 20), VORTEX_E2E_INCREMENTS (racing ones, default 300), VORTEX_E2E_SEED,
VORTEX_E2E_HISTORIES (where the logs of clients are kept whose history makes no sense).
"""

import itertools
import os
import re
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cluster import Cluster, directory_name, remove  # noqa: E402
from server import BINARY, ROOT, Server  # noqa: E402

DIRECTORY = Path(os.environ.get("VORTEX_E2E_DIR", ROOT / ".build-e2e/runs"))
SEED = int(os.environ.get("VORTEX_E2E_SEED", "20260"))

_names = itertools.count(1)


def pytest_configure(config):
    if not BINARY.exists():
        raise pytest.UsageError(f"no binary at {BINARY}: build it first, or set VORTEX_BINARY")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_report_header(config):
    return f"vortex: {BINARY}, seed {SEED}, data in {DIRECTORY}"


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED


@pytest.fixture(scope="session")
def run_directory():
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="run-", dir=DIRECTORY))
    yield path
    if os.environ.get("VORTEX_E2E_KEEP") != "1":
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def shared_server(run_directory):
    server = Server(run_directory / "shared", ["--access-log", "json"]).start()
    yield server
    server.kill()


@pytest.fixture
def server(shared_server):
    """The server that tests share; started again when a test before has ended it."""
    if not shared_server.alive:
        shared_server.start()
    yield shared_server
    assert shared_server.alive, f"the server died: {shared_server.log()[-4000:]}"


@pytest.fixture
def new_server(run_directory, request):
    """Makes servers of the test's own; kills them and removes their data at its end."""
    made: list[Server] = []

    def make(flags=(), **settings) -> Server:
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40]
        server = Server(run_directory / f"{name}-{next(_names)}", flags, **settings)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()
        if os.environ.get("VORTEX_E2E_KEEP") != "1":
            shutil.rmtree(server.directory, ignore_errors=True)


@pytest.fixture
def bucket(server, request) -> str:
    """A bucket that no other test uses."""
    return server.create_bucket(f"bucket-{next(_names)}")


@pytest.fixture
def scratch(run_directory):
    """A directory on the real disk for a test's files."""
    path = Path(tempfile.mkdtemp(prefix="scratch-", dir=run_directory))
    yield path
    shutil.rmtree(path)


# ---- clusters

@pytest.fixture(scope="module")
def module_cluster(run_directory, request):
    directory = run_directory / f"{directory_name(request.module.__name__)}-{next(_names)}"
    with Cluster(directory) as cluster:
        yield cluster.start(3)
    remove(directory)


@pytest.fixture
def cluster3(module_cluster):
    """Three nodes that the tests of a file share; made whole when a test before has hurt them."""
    module_cluster.restart()
    module_cluster.settle()
    yield module_cluster
    dead = [node.directory.name for node in module_cluster.nodes if not node.alive]
    assert not dead, f"{dead} died"


@pytest.fixture
def cluster_bucket(cluster3) -> str:
    """A bucket in the shared cluster that no other test uses."""
    return cluster3.create_bucket(f"bucket-{next(_names)}")


@pytest.fixture
def new_cluster(run_directory, request):
    """Makes clusters of the test's own; ends all their nodes and removes their data."""
    made: list[Cluster] = []

    def make(count: int = 3, flags=(), **settings) -> Cluster:
        name = f"{directory_name(request.node.name)}-{next(_names)}"
        cluster = settings.pop("kind", Cluster)(run_directory / name, flags, **settings)
        made.append(cluster)
        return cluster.start(count)

    yield make
    for cluster in made:
        cluster.end()
        remove(cluster.directory)
