"""restic and duplicity: backed up, checked, restored, thinned out."""

import json
import shutil

from clients.files import assert_same, write_tree
from clients.programs import run, system_tool


def test_restic(store, tree, back, scratch):
    words = [system_tool("restic"), "-r", f"s3:{store.url}/restic-backup", "--cache-dir", scratch / "cache"]

    def restic(*more):
        return run([*words, *more], RESTIC_PASSWORD="secret", **store.environment)

    changed = scratch / "changed"
    shutil.copytree(tree, changed)
    restic("init")
    with store.losing_a_node(after=5):
        restic("backup", changed)
        restic("check", "--read-data")
    write_tree(changed, [("sub/large more", 9_000_000), ("small.txt", 30)], seed=8)
    restic("backup", changed)
    with store.losing_a_node(after=5):
        restic("restore", "latest", "--target", back)
    assert_same(changed, back / changed.relative_to("/"))
    snapshots = json.loads(restic("snapshots", "--json"))
    assert len(snapshots) == 2
    restic("forget", "--keep-last", "1", "--prune")
    with store.losing_a_node(after=5):
        restic("check", "--read-data")
    restic("forget", "--prune", snapshots[1]["id"])
    client = store.client()
    left = [one["Key"] for one in client.list_objects_v2(Bucket="restic-backup")["Contents"]]
    assert not [key for key in left if key.startswith(("data/", "snapshots/"))], left


def test_duplicity(store, tree, back, scratch):
    store.client().create_bucket(Bucket="duplicity")
    # Its boto3 backend of 2020; the bucket is the first word of the path.
    place = ["--s3-endpoint-url", store.url, "--no-encryption", "--archive-dir", scratch / "archive",
             "--volsize", "4", "--allow-source-mismatch"]
    target = "boto3+s3://duplicity/backup"

    def duplicity(*words):
        return run([system_tool("duplicity"), *words], HOME=str(scratch), **store.environment)

    changed = scratch / "changed"
    shutil.copytree(tree, changed)
    with store.losing_a_node(after=5):
        duplicity("full", *place, changed, target)
    write_tree(changed, [("small.txt", 30), ("new", 1_000)], seed=8)
    duplicity("incr", *place, changed, target)
    assert " 0 differences found" in duplicity("verify", "--compare-data", *place, target, changed)
    with store.losing_a_node(after=2):
        duplicity("restore", "--force", *place, target, back)
    assert_same(changed, back)
    duplicity("full", *place, changed, target)
    duplicity("remove-all-but-n-full", "1", "--force", *place, target)
    sets = duplicity("collection-status", *place, target)
    assert "Number of contained backup sets: 1" in sets, sets
