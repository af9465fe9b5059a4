"""dvc: large files beside a repository, in a remote that is a bucket."""

import shutil

from clients.files import assert_same
from clients.programs import run, tool
from keyed import KEY, SECRET


def test_dvc(store, tree, scratch):
    repository = scratch / "repository"
    repository.mkdir()
    store.client().create_bucket(Bucket="dvc-remote")

    def dvc(*words):
        return run([tool("dvc"), *words], cwd=repository, DVC_NO_ANALYTICS="1", HOME=str(scratch),
                   XDG_CACHE_HOME=str(scratch / "cache"), DVC_SITE_CACHE_DIR=str(scratch / "site"),
                   **store.environment)

    dvc("init", "--no-scm")
    dvc("remote", "add", "-d", "store", "s3://dvc-remote/files")
    dvc("remote", "modify", "store", "endpointurl", store.url)
    dvc("remote", "modify", "--local", "store", "access_key_id", KEY)
    dvc("remote", "modify", "--local", "store", "secret_access_key", SECRET)
    shutil.copytree(tree, repository / "data")
    dvc("add", "data")
    with store.losing_a_node(after=10):
        dvc("push", "-j", "8")
    shutil.rmtree(repository / "data")
    shutil.rmtree(repository / ".dvc/cache")
    with store.losing_a_node(after=10):
        dvc("pull", "-j", "8")
    assert_same(tree, repository / "data")
    assert "in sync" in dvc("status", "-c")
    (repository / "data.dvc").unlink()
    dvc("gc", "-w", "-c", "-f")
    left = store.client().list_objects_v2(Bucket="dvc-remote").get("Contents", [])
    assert left == [], left
