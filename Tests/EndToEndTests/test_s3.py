"""S3 by Amazon's own SDK, and by requests that botocore signs and nobody would send by accident."""

import base64
import hashlib
import http.client
import re
import threading
import urllib.parse

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import pytest

from server import Server, poll

KEY, SECRET = "VXNATESTTESTTESTTEST", "0123456789abcdefghijklmnopqrstuvwxyzABCD"


@pytest.fixture(scope="module")
def keyed(run_directory):
    """A server that asks for keys, with a first key that the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        server = Server(run_directory / "s3-keyed", ["--auth", "keys"]).start()
    poll(lambda: f"access key {KEY}" in server.output(), 30, "the first key is made")
    yield server
    server.kill()


def client(server, key=KEY, secret=SECRET, **settings):
    settings.setdefault("retries", {"max_attempts": 1})
    return boto3.client(
        "s3", endpoint_url=server.url, aws_access_key_id=key, aws_secret_access_key=secret,
        region_name="us-east-1", config=botocore.config.Config(**settings))


@pytest.fixture(scope="module")
def s3(keyed):
    return client(keyed)


_numbers = iter(range(1, 10_000))


@pytest.fixture
def s3_bucket(s3):
    name = f"s3-bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


def code(error) -> str:
    return error.value.response["Error"]["Code"]


def test_the_first_key_is_not_told_where_the_environment_gave_it(keyed):
    assert SECRET not in keyed.output() + keyed.log()


def test_a_first_key_is_made_and_told_once(new_server):
    server = new_server(["--auth", "keys"]).start()
    told = re.compile(r"access key (\S+), secret (\S+) ")
    key, secret = poll(lambda: told.search(server.output()), 30, "a key is told").groups()
    assert client(server, key, secret).list_buckets()["Buckets"] == []
    server.restart()
    assert client(server, key, secret).list_buckets()["Buckets"] == []
    assert server.output().count("access key") == 1
    # A running node removes segments while they are looked for.
    server.kill()
    # Nothing is beyond the first of a segment's GiB yet.
    for path in [path for path in server.data.rglob("*") if path.is_file()]:
        with path.open("rb") as file:
            assert secret.encode() not in file.read(8 << 20), path
    assert (server.data / "key-secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("size", [0, 1, 4096, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_what_is_put_is_got(s3, s3_bucket, size):
    body = bytes(i * 31 % 251 for i in range(size % 65_536)) + bytes(size - size % 65_536)
    answer = s3.put_object(Bucket=s3_bucket, Key="k", Body=body, Metadata={"Color": "blue"},
                           ContentType="text/plain", CacheControl="no-cache")
    assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=s3_bucket, Key="k")
    assert got["Body"].read() == body
    assert got["Metadata"] == {"color": "blue"} and got["ContentType"] == "text/plain"
    assert got["ETag"] == answer["ETag"] and got["ContentLength"] == size
    head = s3.head_object(Bucket=s3_bucket, Key="k")
    assert head["ContentLength"] == size and head["CacheControl"] == "no-cache"
    s3.delete_object(Bucket=s3_bucket, Key="k")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=s3_bucket, Key="k")
    assert code(error) == "NoSuchKey"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_verified_and_told(s3, s3_bucket, algorithm):
    answer = s3.put_object(Bucket=s3_bucket, Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
    assert answer[f"Checksum{algorithm}"]
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.put_object(Bucket=s3_bucket, Key="k", Body=b"hallo",
                      **{f"Checksum{algorithm}": answer[f"Checksum{algorithm}"]})
    assert code(error) == "BadDigest"
    assert s3.get_object(Bucket=s3_bucket, Key="k")["Body"].read() == b"hello"


KEYS = ["a", "a b", "a+b", "a%2Fb", "a//b", "//a", "/", "..", "./a", "a/../b", "a/", "ünïcödé", "😀/😀",
        "*'()!~-_.", "&=?#;:@$,", "\"<>\\^`{|}", "tab\there", "x" * 1024]


@pytest.mark.parametrize("style", ["path"])
def test_any_key_survives_signing_storing_and_listing(s3, s3_bucket, style):
    for key in KEYS:
        s3.put_object(Bucket=s3_bucket, Key=key, Body=key.encode())
    for key in KEYS:
        assert s3.get_object(Bucket=s3_bucket, Key=key)["Body"].read() == key.encode(), key
    listed = [entry["Key"] for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=s3_bucket, PaginationConfig={"PageSize": 3}) for entry in page["Contents"]]
    assert listed == sorted(KEYS, key=str.encode)
    answer = s3.delete_objects(Bucket=s3_bucket, Delete={"Objects": [{"Key": key} for key in KEYS
                                                                     if "\t" not in key]})
    assert "Errors" not in answer and len(answer["Deleted"]) == len(KEYS) - 1


def test_listings_fold_and_go_on(s3, s3_bucket):
    for number in range(25):
        s3.put_object(Bucket=s3_bucket, Key=f"dir{number % 5}/file{number:02}", Body=b"x")
    for operation in ["list_objects", "list_objects_v2"]:
        prefixes, pages = [], 0
        for page in s3.get_paginator(operation).paginate(
                Bucket=s3_bucket, Delimiter="/", PaginationConfig={"PageSize": 2}):
            prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
            pages += 1
        assert prefixes == [f"dir{number}/" for number in range(5)] and pages == 3
        page = getattr(s3, operation)(Bucket=s3_bucket, Prefix="dir1/")
        assert len(page["Contents"]) == 5 and not page["IsTruncated"]


def test_ranges_conditions_and_overrides(s3, s3_bucket):
    tag = s3.put_object(Bucket=s3_bucket, Key="k", Body=b"0123456789")["ETag"]
    got = s3.get_object(Bucket=s3_bucket, Key="k", Range="bytes=2-4",
                        ResponseContentDisposition="attachment; filename=x")
    assert got["Body"].read() == b"234" and got["ContentRange"] == "bytes 2-4/10"
    assert got["ContentDisposition"] == "attachment; filename=x"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=s3_bucket, Key="k", IfNoneMatch=tag)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 304
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=s3_bucket, Key="k", IfMatch='"other"')
    assert code(error) == "PreconditionFailed"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.get_object(Bucket=s3_bucket, Key="k", Range="bytes=10-")
    assert code(error) == "InvalidRange"


def test_of_racing_creations_one_wins(keyed, s3_bucket):
    winners, lost = [], []

    def race(number):
        try:
            client(keyed).put_object(Bucket=s3_bucket, Key="k", Body=str(number), IfNoneMatch="*")
            winners.append(number)
        except botocore.exceptions.ClientError as error:
            lost.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=race, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1 and set(lost) == {"PreconditionFailed"}
    body = client(keyed).get_object(Bucket=s3_bucket, Key="k")["Body"].read()
    assert body == str(winners[0]).encode()


def test_copies(s3, s3_bucket):
    s3.put_object(Bucket=s3_bucket, Key="a b+c", Body=b"x" * 2_000_000, Metadata={"n": "1"})
    source = {"Bucket": s3_bucket, "Key": "a b+c"}
    s3.copy_object(Bucket=s3_bucket, Key="copy", CopySource=source)
    got = s3.get_object(Bucket=s3_bucket, Key="copy")
    assert got["Body"].read() == b"x" * 2_000_000 and got["Metadata"] == {"n": "1"}
    s3.copy_object(Bucket=s3_bucket, Key="copy", CopySource=source, MetadataDirective="REPLACE",
                   Metadata={"m": "2"})
    assert s3.head_object(Bucket=s3_bucket, Key="copy")["Metadata"] == {"m": "2"}


def test_buckets(s3, s3_bucket):
    assert s3_bucket in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=s3_bucket)["LocationConstraint"] is None
    assert s3.head_bucket(Bucket=s3_bucket)["BucketRegion"] == "us-east-1"
    assert "Status" not in s3.get_bucket_versioning(Bucket=s3_bucket)
    assert s3.get_bucket_acl(Bucket=s3_bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    s3.put_object(Bucket=s3_bucket, Key="k", Body=b"")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.delete_bucket(Bucket=s3_bucket)
    assert code(error) == "BucketNotEmpty"
    s3.delete_object(Bucket=s3_bucket, Key="k")
    s3.delete_bucket(Bucket=s3_bucket)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        s3.list_objects_v2(Bucket=s3_bucket)
    assert code(error) == "NoSuchBucket"


def test_what_is_not_there_is_not_implemented(s3, s3_bucket):
    for call in [lambda: s3.get_bucket_policy(Bucket=s3_bucket),
                 lambda: s3.create_multipart_upload(Bucket=s3_bucket, Key="k", ACL="public-read"),
                 lambda: s3.put_object(Bucket=s3_bucket, Key="k", Body=b"", StorageClass="GLACIER"),
                 lambda: s3.put_object(Bucket=s3_bucket, Key="k", Body=b"", ACL="public-read")]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            call()
        assert code(error) == "NotImplemented"
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


# ---- who gets in

def test_presigned_urls_work_as_long_as_they_say(keyed, s3_bucket):
    def call(url, method, body=None):
        parts = urllib.parse.urlsplit(url)
        return keyed.call(method, f"{parts.path}?{parts.query}", body)

    # Of itself boto3 still presigns by version 2.
    s3 = client(keyed, signature_version="s3v4")
    parameters = {"Bucket": s3_bucket, "Key": "a b/ü+"}
    put = s3.generate_presigned_url("put_object", Params=parameters, ExpiresIn=60)
    assert call(put, "PUT", b"hello").status == 200
    get = s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=1)
    assert call(get, "GET").body == b"hello"
    assert call(get, "PUT", b"x").status == 403
    assert call(get.replace("a%20b", "a%20c"), "GET").status == 403
    poll(lambda: call(get, "GET").status == 403, 10, "expired", interval=0.1)


def test_wrong_keys_are_refused(keyed, s3_bucket):
    for key, secret, expected in [("NOBODY", SECRET, "InvalidAccessKeyId"),
                                  (KEY, SECRET[:-1], "SignatureDoesNotMatch")]:
        with pytest.raises(botocore.exceptions.ClientError) as error:
            client(keyed, key, secret).list_objects_v2(Bucket=s3_bucket)
        assert code(error) == expected
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert keyed.call("GET", f"/{s3_bucket}").status == 403
    assert keyed.call("GET", "/v1/buckets").status == 401


def test_version_2_is_refused_by_name(keyed, s3_bucket):
    answer = keyed.call("GET", f"/{s3_bucket}", headers={"Authorization": f"AWS {KEY}:c2lnbmF0dXJl"})
    assert answer.status == 400 and b"AWS4-HMAC-SHA256" in answer.body
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client(keyed, signature_version="s3").list_buckets()
    assert code(error) == "InvalidRequest"


def test_keys_are_made_granted_and_revoked(keyed, s3, s3_bucket):
    bearer = {"Authorization": f"Bearer {KEY}:{SECRET}"}
    answer = keyed.call("POST", f"/v1/keys?grants=read,list:{s3_bucket}", headers=bearer)
    assert answer.status == 201
    made = answer.json()
    reader = client(keyed, made["id"], made["secret"])
    s3.put_object(Bucket=s3_bucket, Key="k", Body=b"x")
    assert reader.get_object(Bucket=s3_bucket, Key="k")["Body"].read() == b"x"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        reader.put_object(Bucket=s3_bucket, Key="k", Body=b"y")
    assert code(error) == "AccessDenied"
    assert keyed.call("DELETE", f"/v1/keys/{made['id']}", headers=bearer).status == 204
    with pytest.raises(botocore.exceptions.ClientError) as error:
        reader.get_object(Bucket=s3_bucket, Key="k")
    assert code(error) == "InvalidAccessKeyId"
    listed = keyed.call("GET", "/v1/keys", headers=bearer).json()["keys"]
    assert [key["id"] for key in listed] == [KEY] and SECRET not in str(listed)


# ---- requests that botocore signs

def send(server, method, target, body=b"", headers=None, sign=None):
    """Signs exactly this target with botocore, and sends exactly it."""
    request = botocore.awsrequest.AWSRequest(
        method, f"http://{server.place.host}:{server.place.port}{target}", data=body,
        headers=headers or {})
    if sign:
        sign(request)
    else:
        botocore.auth.S3SigV4Auth(
            botocore.credentials.Credentials(KEY, SECRET), "s3", "eu-west-3").add_auth(request)
    connection = http.client.HTTPConnection(server.place.host, server.place.port, timeout=30)
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("path", [
    "plain", "a%20b", "a%2Bb", "a+b", "a%2Fb", "%61", "a//b", "a/../b", "a/./b", "%C3%BC", "a%25b", "a!b", "(a)", "*",
    "a=b", "a&b", "a:b@c", "a;b", "a,b", "a~b", "a%7Eb", "%2e%2e", "a%09b",
])
def test_odd_paths_verify_as_sent(keyed, s3_bucket, path):
    status, content = send(keyed, "PUT", f"/{s3_bucket}/{path}", b"x")
    assert status == 200, content
    status, content = send(keyed, "GET", f"/{s3_bucket}/{path}")
    assert (status, content) == (200, b"x")


@pytest.mark.parametrize("query", [
    "", "prefix=", "prefix", "prefix=a%20b", "prefix=a%2Bb", "prefix=%C3%BC", "list-type=2&prefix=a&delimiter=%2F",
    "unheard=1&unheard=2", "unheard=2&unheard=1", "b=1&a=2&B=3&A=4", "a-b=1&a=2&a%20b=3", "x=%41", "x=~", "x=a/b", "=",
])
def test_odd_queries_verify_as_sent(keyed, s3_bucket, query):
    status, content = send(keyed, "GET", f"/{s3_bucket}?{query}")
    assert status == 200, content


@pytest.mark.parametrize("headers", [
    {"x-amz-meta-a": "  two   spaces  "}, {"x-amz-meta-a": ""}, {"X-AMZ-Meta-B": "Case"}, {"Content-Type": "a/b; c=d"},
    {"Date": "ignored"}, {"Cache-Control": "no-cache,  no-store"},
])
def test_odd_headers_verify_as_sent(keyed, s3_bucket, headers):
    status, content = send(keyed, "PUT", f"/{s3_bucket}/k", b"x", headers)
    assert status == 200, content


def test_a_body_other_than_signed_is_refused(keyed, s3_bucket):
    def sign(request):
        request.data = b"what was signed"
        botocore.auth.S3SigV4Auth(
            botocore.credentials.Credentials(KEY, SECRET), "s3", "us-east-1").add_auth(request)
        request.data = b"what was sent"

    status, content = send(keyed, "PUT", f"/{s3_bucket}/k", b"what was sent", sign=sign)
    # botocore leaves the hash out where it sends no bytes in advance; here it is always signed.
    assert status == 400 and b"XAmzContentSHA256Mismatch" in content
    assert send(keyed, "GET", f"/{s3_bucket}/k")[0] == 404


@pytest.mark.parametrize("trick", [
    ("GET", "/{bucket}/k/../../v1/status"), ("GET", "//{bucket}/k"), ("GET", "/%2e%2e/{bucket}"), ("GET", "/{bucket}%00/k"),
])
def test_path_tricks_reach_nothing(keyed, s3_bucket, trick):
    method, target = trick
    answer = keyed.call(method, target.format(bucket=s3_bucket))
    assert answer.status in (400, 401, 403, 404), answer.body
    status, content = send(keyed, method, target.format(bucket=s3_bucket))
    assert status in (400, 403, 404), content


def test_md5_and_content_md5(keyed, s3_bucket):
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    wrong = base64.b64encode(hashlib.md5(b"y").digest()).decode()
    assert send(keyed, "PUT", f"/{s3_bucket}/k", b"x", {"Content-MD5": right})[0] == 200
    status, content = send(keyed, "PUT", f"/{s3_bucket}/k", b"x", {"Content-MD5": wrong})
    assert status == 400 and b"BadDigest" in content
