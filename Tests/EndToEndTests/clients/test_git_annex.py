"""git-annex, Debian's: large files beside a git repository."""

import shutil

from clients.programs import run, system_tool

IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "tester"), ("EMAIL", "tester@localhost"))}


def test_git_annex(store, tree, scratch):
    repository, clone = scratch / "repository", scratch / "clone"
    shutil.copytree(tree, repository)
    environment = {**store.environment, **IDENTITY, "HOME": str(scratch)}

    def git(*words, at=repository):
        return run([system_tool("git"), *words], cwd=at, **environment)

    git("init", "-q")
    git("annex", "init", "here")
    git("config", "annex.security.allowed-ip-addresses", "all")
    git("annex", "add", ".")
    git("commit", "-q", "-m", "files")
    host, port = store.host.split(":")
    git("annex", "initremote", "store", "type=S3", "encryption=none", "bucket=git-annex",
        f"host={host}", f"port={port}", "protocol=http", "requeststyle=path", "signature=v4",
        "partsize=6MiB", "datacenter=us-east-1")
    with store.losing_a_node(after=10):
        git("annex", "copy", "--to", "store", "-J4")
        git("annex", "fsck", "--from", "store", "-J4")
    git("clone", "-q", str(repository), str(clone), at=scratch)
    git("annex", "init", "there", at=clone)
    git("config", "annex.security.allowed-ip-addresses", "all", at=clone)
    git("remote", "remove", "origin", at=clone)
    git("annex", "enableremote", "store", at=clone)
    # One node at a time: the first to go is only just back.
    store.heal()
    with store.losing_a_node(after=5):
        git("annex", "get", ".", "-J4", at=clone)
    shutil.rmtree(clone / ".git/annex/tmp", ignore_errors=True)
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            assert (clone / path.relative_to(tree)).read_bytes() == path.read_bytes(), path
    git("annex", "drop", "--from", "store", "--force", ".", at=clone)
    client = store.client()
    assert [one["Key"] for one in client.list_objects_v2(Bucket="git-annex")["Contents"]] == ["annex-uuid"]
