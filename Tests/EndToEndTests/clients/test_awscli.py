"""Amazon's command line: `aws s3` in many requests at once, and `aws s3api` one by one."""

import json

import pytest

from clients.files import IN_PARTS_BYTES, assert_same, names
from clients.programs import run, tool


@pytest.fixture
def aws(store):
    def aws(*words):
        return run([tool("aws"), "--endpoint-url", store.url, *words], **store.environment)
    return aws


def test_s3_syncs_up_and_down(store, aws, tree, back):
    aws("s3", "mb", "s3://awscli")
    with store.losing_a_node(after=10):
        aws("s3", "sync", tree, "s3://awscli/t")
        listed = aws("s3", "ls", "--recursive", "s3://awscli/t/")
        assert len(listed.splitlines()) == len(names(tree)) and "sub/a b/large.bin" in listed
        aws("s3", "sync", "s3://awscli/t", back)
    assert_same(tree, back)
    store.assert_holds("awscli", tree, "t/")
    assert aws("s3", "sync", tree, "s3://awscli/t") == "", "nothing has changed"
    aws("s3", "mv", "s3://awscli/t/small.txt", "s3://awscli/moved")
    aws("s3", "cp", "s3://awscli/t/sub/in parts.bin", "s3://awscli/copied in parts")
    with store.losing_a_node():
        aws("s3", "rm", "--recursive", "s3://awscli")
    assert aws("s3", "ls", "s3://awscli") == ""
    aws("s3", "rb", "s3://awscli")
    store.assert_gone("awscli")


def test_s3api_uploads_in_parts_and_deletes_many(store, aws, tree, scratch):
    def api(*words) -> dict:
        return json.loads(aws("s3api", *words) or "{}")

    at = ["--bucket", "awscli-api"]
    api("create-bucket", *at)
    small, large = tree / "small.txt", tree / "sub/in parts.bin"
    with store.losing_a_node():
        api("put-object", *at, "--key", "new", "--body", small, "--if-none-match", "*",
            "--checksum-algorithm", "SHA256", "--metadata", "colour=blue")
        begun = api("create-multipart-upload", *at, "--key", "parts")
        place = [*at, "--key", "parts", "--upload-id", begun["UploadId"]]
        parts = []
        for number, offset in enumerate(range(0, IN_PARTS_BYTES, 8_000_000), 1):
            piece = scratch / f"piece-{number}"
            piece.write_bytes(large.read_bytes()[offset:offset + 8_000_000])
            done = api("upload-part", *place, "--part-number", str(number), "--body", piece)
            parts.append({"PartNumber": number, "ETag": done["ETag"]})
        assert [one["ETag"] for one in api("list-parts", *place)["Parts"]] \
            == [one["ETag"] for one in parts]
        api("complete-multipart-upload", *place, "--multipart-upload", json.dumps({"Parts": parts}))
    head = api("head-object", *at, "--key", "new", "--checksum-mode", "ENABLED")
    assert head["Metadata"] == {"colour": "blue"} and head["ChecksumSHA256"]
    for key, expected in [("new", small), ("parts", large)]:
        api("get-object", *at, "--key", key, scratch / "got")
        assert (scratch / "got").read_bytes() == expected.read_bytes()
    api("get-object", *at, "--key", "parts", "--range", "bytes=5-9", scratch / "got")
    assert (scratch / "got").read_bytes() == large.read_bytes()[5:10]
    api("put-object-tagging", *at, "--key", "new", "--tagging", "TagSet=[{Key=a,Value=b}]")
    assert api("get-object-tagging", *at, "--key", "new")["TagSet"] == [{"Key": "a", "Value": "b"}]
    deleted = api("delete-objects", *at, "--delete", "Objects=[{Key=new},{Key=parts}]")
    assert {one["Key"] for one in deleted["Deleted"]} == {"new", "parts"}
    api("delete-bucket", *at)
    store.assert_gone("awscli-api")
