"""What is set of buckets: who may read them, which pages may ask, tags, forms. By boto3, requests and curl."""

import concurrent.futures
import json
import subprocess
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest
import requests

from server import Server, poll

KEY, SECRET = "VXNATESTTESTTESTTEST", "0123456789abcdefghijklmnopqrstuvwxyzABCD"
_numbers = iter(range(1, 10_000))


def client(url, key=KEY, secret=SECRET):
    config = botocore.config.Config(
        retries={"max_attempts": 1}, signature_version="s3v4", s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret,
                        region_name="us-east-1", config=config)


@pytest.fixture(scope="module")
def keyed(run_directory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        server = Server(run_directory / "s3-buckets", ["--auth", "keys"]).start()
    poll(lambda: f"access key {KEY}" in server.output(), 30, "the first key is made")
    yield server
    assert server.alive
    server.kill()


@pytest.fixture(scope="module")
def s3(keyed):
    return client(keyed.url)


@pytest.fixture
def name(s3):
    name = f"set-bucket-{next(_numbers)}"
    s3.create_bucket(Bucket=name)
    return name


def code(call, **arguments) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def test_tags(s3, name):
    assert code(s3.get_bucket_tagging, Bucket=name) == "NoSuchTagSet"
    tags = [{"Key": "team", "Value": "böse & gut"}, {"Key": "cost", "Value": ""}]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=name)
    assert code(s3.get_bucket_tagging, Bucket=name) == "NoSuchTagSet"
    large = [{"Key": f"k{number}", "Value": "ü" * 256} for number in range(50)]
    assert code(s3.put_bucket_tagging, Bucket=name, Tagging={"TagSet": large}) == "InvalidRequest"


def test_ownership_and_public_access_block(s3, name):
    assert code(s3.get_bucket_ownership_controls, Bucket=name) == "OwnershipControlsNotFoundError"
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=rules)
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"] == rules
    assert code(s3.put_bucket_acl, Bucket=name, ACL="public-read") == "AccessControlListNotSupported"
    s3.put_object(Bucket=name, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    assert code(s3.put_object, Bucket=name, Key="k", ACL="public-read") == "AccessControlListNotSupported"
    s3.delete_bucket_ownership_controls(Bucket=name)
    assert code(s3.get_public_access_block, Bucket=name) == "NoSuchPublicAccessBlockConfiguration"
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": False}
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"] == block
    assert code(s3.put_bucket_acl, Bucket=name, ACL="public-read") == "AccessDenied"
    assert code(s3.create_bucket, Bucket=name, ACL="public-read") == "AccessDenied"
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_acl(Bucket=name, ACL="public-read")


def test_anybody_reads_what_is_public_and_nothing_else(keyed, s3, name):
    url = f"{keyed.url}/{name}"
    s3.put_object(Bucket=name, Key="a/b", Body=b"public")
    assert requests.get(f"{url}/a/b").status_code == 403
    s3.put_bucket_acl(Bucket=name, ACL="public-read")
    assert "AllUsers" in json.dumps(s3.get_bucket_acl(Bucket=name)["Grants"])
    assert requests.get(f"{url}/a/b").content == b"public"
    assert "<Key>a/b</Key>" in requests.get(f"{url}?list-type=2").text
    assert requests.get(f"{keyed.url}/v1/objects/{name}/a/b").content == b"public"
    for method, path in (("PUT", "/a/b"), ("DELETE", "/a/b"), ("POST", "?delete"), ("GET", "?acl"), ("PUT", "?acl")):
        assert requests.request(method, url + path, data=b"").status_code == 403, (method, path)
    s3.put_bucket_acl(Bucket=name, AccessControlPolicy={
        key: value for key, value in s3.get_bucket_acl(Bucket=name).items() if key in ("Owner", "Grants")})
    assert requests.get(f"{url}/a/b").status_code == 200
    s3.put_bucket_acl(Bucket=name, ACL="private")
    assert requests.get(f"{url}/a/b").status_code == 403
    assert requests.get(f"{keyed.url}/v1/objects/{name}/a/b").status_code == 401


def test_cors(keyed, s3, name):
    assert code(s3.get_bucket_cors, Bucket=name) == "NoSuchCORSConfiguration"
    rules = [{"ID": "one", "AllowedOrigins": ["https://*.example"], "AllowedMethods": ["GET", "PUT"],
              "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 30}]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=name)["CORSRules"] == rules
    put = s3.generate_presigned_url("put_object", {"Bucket": name, "Key": "k"})
    page = {"Origin": "https://app.example"}
    asked = requests.options(put, headers=page | {
        "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"})
    assert asked.status_code == 200 and asked.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert asked.headers["Access-Control-Allow-Headers"] == "content-type"
    stored = requests.put(put, data=b"by a page", headers=page)
    assert stored.status_code == 200 and stored.headers["Access-Control-Expose-Headers"] == "ETag"
    plain = requests.get(s3.generate_presigned_url("get_object", {"Bucket": name, "Key": "k"}))
    assert "Origin" in plain.headers["Vary"] and "Access-Control-Allow-Origin" not in plain.headers
    denied = requests.options(put, headers={"Origin": "https://evil.com", "Access-Control-Request-Method": "PUT"})
    assert denied.status_code == 403 and "AccessForbidden" in denied.text
    by_curl = subprocess.run(
        ["curl", "-s", "-i", "-X", "OPTIONS", "-H", "Origin: https://a.example", "-H", "Access-Control-Request-Method: GET",
         f"{keyed.url}/{name}/k"], capture_output=True, text=True, check=True)
    assert "200 OK" in by_curl.stdout
    s3.delete_bucket_cors(Bucket=name)
    assert requests.options(put, headers=page | {"Access-Control-Request-Method": "PUT"}).status_code == 403


# ---- forms

def post(made, content=b"content", filename="file.txt", **changed):
    fields = made["fields"] | changed
    return requests.post(made["url"], data=fields, files={"file": (filename, content)})


def test_a_presigned_form(s3, name):
    made = s3.generate_presigned_post(name, "up/${filename}", Fields={"success_action_status": "201"}, Conditions=[
        {"success_action_status": "201"}, ["content-length-range", 1, 3_000_000]])
    answer = post(made, b"x" * 2_500_000, "böse.bin")
    assert answer.status_code == 201, answer.text
    assert "<PostResponse>" in answer.text
    stored = s3.get_object(Bucket=name, Key="up/böse.bin")
    assert stored["Body"].read() == b"x" * 2_500_000 and stored["ETag"] == answer.headers["ETag"]
    assert post(made, b"x" * 3_000_001, "large").status_code == 400
    assert "EntityTooSmall" in post(made, b"", "small").text
    assert "AccessDenied" in post(made, key="down/${filename}").text
    policy = made["fields"]["policy"]
    assert "SignatureDoesNotMatch" in post(made, policy=policy[:-8] + "AAAA" + policy[-4:]).text
    assert "Extra input fields" in post(made, **{"x-amz-meta-extra": "1"}).text
    names = [entry["Key"] for entry in s3.list_objects_v2(Bucket=name).get("Contents", [])]
    assert names == ["up/böse.bin"]


def test_a_form_past_its_time(s3, name):
    made = s3.generate_presigned_post(name, "k", ExpiresIn=1)
    assert post(made).status_code == 204
    time.sleep(2)
    late = post(made)
    assert late.status_code == 403 and "Policy expired" in late.text


def test_a_form_by_curl_and_one_with_a_key_that_may_not(keyed, s3, name):
    made = s3.generate_presigned_post(name, "by-curl", Fields={"Content-Type": "text/plain"},
                                      Conditions=[{"Content-Type": "text/plain"}])
    fields = [argument for field, value in made["fields"].items() for argument in ("-F", f"{field}={value}")]
    done = subprocess.run(["curl", "-s", "-w", "%{http_code}", *fields, "-F", "file=@-;filename=f", made["url"]],
                          input="from curl", capture_output=True, text=True, check=True)
    assert done.stdout == "204"
    stored = s3.get_object(Bucket=name, Key="by-curl")
    assert stored["Body"].read() == b"from curl" and stored["ContentType"] == "text/plain"
    key = requests.post(f"{keyed.url}/v1/keys?grants=read:{name}",
                        headers={"Authorization": f"Bearer {KEY}:{SECRET}"}).json()
    other = client(keyed.url, key["id"], key["secret"])
    assert "AccessDenied" in post(other.generate_presigned_post(name, "k")).text


def memory(server) -> int:
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) >> 10


def test_hostile_forms_cost_no_memory(keyed, name):
    """40 KiB of anything, many at once, from nobody."""
    before = memory(keyed)
    boundary = "b" * 70
    line = f"--{boundary}\r\nContent-Disposition: form-data; name="
    bodies = [
        (line + '"policy"\r\n\r\n' + "[" * 39_000),
        (line + '"a"\r\n\r\nx\r\n') * 300,
        (line + '"a"\r\n\r\n' + "\r\n--" * 10_000),
        (line + '"a"\r\n' + "A: b\r\n" * 6_000),
        (line + '"' + "n" * 39_000),
        "\r\n" * 20_000, "--" * 20_000, f"--{boundary}--" * 500,
    ]
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}

    def send(body):
        return requests.post(f"{keyed.url}/{name}", data=body.encode(), headers=headers, timeout=30).status_code

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for status in pool.map(send, bodies * 20):
            assert status in (400, 403, 412), status
    assert memory(keyed) - before < 64


# ---- an open gateway and its browser

def test_a_page_of_another_origin_changes_nothing(server, bucket):
    own = {"Origin": server.url}
    other = {"Origin": "https://evil.example"}
    form = {"files": {"file": ("f", b"x")}, "data": {"key": "by-form"}}
    assert requests.post(f"{server.url}/{bucket}", headers=other, **form).status_code == 403
    assert requests.post(f"{server.url}/{bucket}", headers=own, **form).status_code == 204
    assert requests.post(f"{server.url}/v1/keys?grants=admin:*", headers=other).status_code == 403
    assert requests.put(f"{server.url}/v1/objects/{bucket}/k", data=b"x", headers=other).status_code == 403
    assert requests.put(f"{server.url}/v1/objects/{bucket}/k", data=b"x", headers=own).status_code == 201
    assert requests.put(f"{server.url}/{bucket}/k", data=b"y", headers=own).status_code == 200
    assert requests.put(f"{server.url}/{bucket}/k", data=b"z").status_code == 200


# ---- several nodes

def test_settings_reach_all_nodes_within_five_seconds(new_cluster):
    """And a page of buckets whose rows are as large as they may be stays within a frame."""
    cluster = new_cluster(3)
    urls = [node.url for node in cluster.nodes]
    page = {"Origin": "http://a.example", "Access-Control-Request-Method": "GET"}
    rule = ("<CORSConfiguration><CORSRule><AllowedOrigin>{}</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
            "</CORSConfiguration>")
    assert requests.put(f"{urls[0]}/shared").status_code == 200
    assert requests.put(f"{urls[0]}/shared?cors", data=rule.format("http://a.example")).status_code == 200
    changed = time.monotonic()
    for url in urls:
        poll(lambda: requests.options(f"{url}/shared/k", headers=page).status_code == 200, 6, "the rule is there")
    assert requests.delete(f"{urls[1]}/shared?cors").status_code == 204
    changed = time.monotonic()
    for url in urls:
        poll(lambda: requests.options(f"{url}/shared/k", headers=page).status_code == 403, 6, "the rule is gone")
    assert time.monotonic() - changed < 7
    tags = "".join(f"<Tag><Key>k{number}</Key><Value>{'v' * 250}</Value></Tag>" for number in range(50))
    configuration = f"<CreateBucketConfiguration><Tags>{tags}</Tags></CreateBucketConfiguration>"

    def make(number):
        return requests.put(f"{urls[number % 3]}/large-{number:04}", data=configuration).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(make, range(700))) == {200}
    for url in urls:
        text = requests.get(url + "/").text
        assert text.count("<Bucket>") == 701
    assert all(node.alive for node in cluster.nodes)
