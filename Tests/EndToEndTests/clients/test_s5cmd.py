"""s5cmd: hundreds of requests at once."""

from clients.files import assert_same, names
from clients.programs import run, tool


def test_s5cmd(store, tree, back):
    def s5cmd(*words):
        return run([tool("s5cmd"), "--endpoint-url", store.url, *words], **store.environment)

    s5cmd("mb", "s3://s5cmd-bucket")
    with store.losing_a_node(after=10):
        s5cmd("cp", "--part-size", "5", f"{tree}/", "s3://s5cmd-bucket/t/")
        listed = s5cmd("ls", "s3://s5cmd-bucket/t/*").splitlines()
        assert len(listed) == len(names(tree))
        s5cmd("cp", "--part-size", "5", "s3://s5cmd-bucket/t/*", f"{back}/")
    assert_same(tree, back)
    store.assert_holds("s5cmd-bucket", tree, "t/")
    s5cmd("mv", "s3://s5cmd-bucket/t/small.txt", "s3://s5cmd-bucket/moved")
    s5cmd("cp", "s3://s5cmd-bucket/t/many/*", "s3://s5cmd-bucket/copies/")
    with store.losing_a_node(after=1):
        s5cmd("rm", "s3://s5cmd-bucket/*")
        s5cmd("rb", "s3://s5cmd-bucket")
    store.assert_gone("s5cmd-bucket")
