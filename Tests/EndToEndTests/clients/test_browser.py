"""Chromium, Debian's: forms with a file, and pages of another origin that fetch()."""

import hashlib
import re
import urllib.parse

import pytest
import requests

from clients.browser import browser, site
from clients.files import IN_PARTS_BYTES, write_tree

# What a browser is given, by forms and by scripts.
FILES = [("empty.bin", 0), ("small.txt", 3), ("ünï+cödé &.bin", 70_000), ("large a.bin", 5_000_000),
         ("large b.bin", 6_000_001), ("日本語.bin", 300_000), ("quo'te;semi=colon.bin", 2_000)]
FILE_BYTES_MAX = 6_000_001


@pytest.fixture
def chromium(scratch):
    with browser(scratch / "profile") as one:
        yield one


@pytest.fixture
def pages(scratch):
    with site(scratch / "site") as one:
        yield one


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def quoted_md5(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


def form(signer, bucket: str, **fields) -> dict:
    """A form for files below up/ that are not too large, with these fields."""
    exact = [{name: value} for name, value in fields.items()]
    return signer.generate_presigned_post(
        bucket, "up/${filename}", Fields=fields, ExpiresIn=600,
        Conditions=[*exact, ["content-length-range", 0, FILE_BYTES_MAX]])


def test_a_form_with_a_file(store, bucket, signer, chromium, pages, scratch):
    files = write_tree(scratch / "files", FILES)
    shown = form(signer, bucket, success_action_status="201")
    sent_on = form(signer, bucket, success_action_redirect=f"{pages.origin}/page.html?from=form")
    with store.losing_a_node():
        for number, (name, _) in enumerate(FILES):
            tag = quoted_md5((files / name).read_bytes())
            page = chromium.submit(pages.write_form(sent_on if number % 2 else shown), files / name)
            if number % 2:
                address = urllib.parse.urlsplit(chromium.driver.current_url)
                assert f"{address.scheme}://{address.netloc}" == pages.origin, page
                assert dict(urllib.parse.parse_qsl(address.query)) == {
                    "from": "form", "bucket": bucket, "key": f"up/{name}", "etag": tag}
            else:
                assert "PostResponse" in page and tag.strip('"') in page, page
    store.assert_holds(bucket, files, "up/")


def test_forms_that_are_refused(store, bucket, signer, chromium, pages, scratch):
    files = write_tree(scratch / "files", [("fits", 5_000_000), ("too large", IN_PARTS_BYTES)])
    made = form(signer, bucket, success_action_status="201")

    def refusal(file, **changed) -> str:
        """The code of the answer that the browser shows."""
        page = chromium.submit(
            pages.write_form({**made, "fields": made["fields"] | changed}), files / file)
        found = re.search(r"<Code[^>]*>(\w+)</Code>", page)
        assert found, page
        return found[1]

    assert refusal("too large") == "EntityTooLarge"
    assert refusal("fits", key="down/${filename}") == "AccessDenied"
    assert refusal("fits", **{"x-amz-signature": "0" * 64}) == "SignatureDoesNotMatch"
    assert "Contents" not in store.client(1).list_objects_v2(Bucket=bucket)
    chromium.submit(pages.write_form(made), files / "fits")
    stored = store.client(1).get_object(Bucket=bucket, Key="up/fits")
    assert stored["Body"].read() == (files / "fits").read_bytes()


def allow(store, bucket: str, *rules: dict) -> None:
    store.client().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [*rules]})


def test_a_page_that_puts_and_gets(store, bucket, signer, chromium, pages):
    write_tree(pages.directory, FILES)
    allow(store, bucket, {
        "AllowedOrigins": [pages.origin], "AllowedMethods": ["PUT", "GET"],
        "AllowedHeaders": ["x-amz-meta-*"], "ExposeHeaders": ["ETag", "x-amz-meta-color"]})
    with store.losing_a_node(after=8):
        for name, _ in FILES:
            body = (pages.directory / name).read_bytes()
            where = {"Bucket": bucket, "Key": f"a b/{name}"}
            colored = {**where, "Metadata": {"color": "red"}}
            put = chromium.ask(
                pages.origin, signer.generate_presigned_url("put_object", colored),
                {"method": "PUT", "headers": {"x-amz-meta-color": "red"}},
                source=urllib.parse.quote(name), headers=["ETag"])
            assert put.get("status") == 200 and put["headers"] == {"ETag": quoted_md5(body)}, put
            got = chromium.ask(
                pages.origin, signer.generate_presigned_url("get_object", where), {},
                headers=["ETag", "x-amz-meta-color", "x-amz-request-id"])
            assert got == {
                "status": 200, "length": len(body), "sha256": sha256(body), "headers": {
                    "ETag": quoted_md5(body), "x-amz-meta-color": "red",
                    "x-amz-request-id": None}}
    for name, _ in FILES:
        stored = store.client(2).get_object(Bucket=bucket, Key=f"a b/{name}")
        assert stored["Body"].read() == (pages.directory / name).read_bytes(), name
        assert stored["Metadata"] == {"color": "red"}


def test_pages_that_are_refused(store, bucket, signer, chromium, pages):
    """Each with a URL that is signed well: what refuses is the rules, and the browser heeds it."""
    write_tree(pages.directory, [("new", 5_000_000)])
    store.client().put_object(Bucket=bucket, Key="old", Body=b"as it was")
    rule = {"AllowedOrigins": [pages.origin], "AllowedMethods": ["PUT", "GET"],
            "AllowedHeaders": ["x-amz-meta-color"], "ExposeHeaders": ["ETag"]}

    def url(operation, key="old", **more):
        return signer.generate_presigned_url(operation, {"Bucket": bucket, "Key": key, **more})

    def put(origin, **colors):
        return chromium.ask(
            origin, url("put_object", Metadata=colors), {
                "method": "PUT",
                "headers": {f"x-amz-meta-{name}": value for name, value in colors.items()}},
            source="new")

    def get(origin):
        return chromium.ask(origin, url("get_object"), {})

    refused = {"refused": "TypeError"}
    assert put(pages.origin, color="red") == refused and get(pages.origin) == refused, "no rules"
    allow(store, bucket, rule)
    assert get(pages.origin)["sha256"] == sha256(b"as it was")
    assert get(pages.other_origin) == refused
    assert put(pages.other_origin, color="red") == refused
    assert put(pages.origin, color="red", shape="round") == refused, "a header"
    assert chromium.ask(pages.origin, url("delete_object"), {"method": "DELETE"}) == refused
    missing = chromium.ask(pages.origin, url("get_object", "none"), {}, headers=["ETag"])
    assert missing["status"] == 404, "a page learns of errors, too"
    allow(store, bucket, {**rule, "AllowedMethods": ["GET"]})
    assert put(pages.origin) == refused, "a method"
    assert store.client(1).get_object(Bucket=bucket, Key="old")["Body"].read() == b"as it was"
    assert requests.put(url("put_object"), data=b"no page", timeout=60).status_code == 200
    allow(store, bucket, {**rule, "AllowedOrigins": ["http://localhost:*"]})
    assert put(pages.other_origin, color="red")["status"] == 200
    stored = store.client(1).get_object(Bucket=bucket, Key="old")
    assert stored["Body"].read() == (pages.directory / "new").read_bytes()
