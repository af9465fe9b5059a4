"""What is in a bucket, in the order of its keys' bytes, a page at a time."""

from urllib.parse import urlencode

import pytest

from wire import assert_problem, target

KEYS = ["a", "a/1", "a/2", "a/b/1", "a/b/2", "a0", "a//x", "b/", "b/x", "c", "Z", "ä/1", "ä/2", "z",
        "日本/東京", "日本/京都", "🐙", "\uffff", "\U00010000", "a\x01", "a!"]
SORTED = sorted(KEYS, key=lambda key: key.encode())


@pytest.fixture
def filled(server, bucket):
    with server.place.session() as session:
        for key in KEYS:
            assert session.call("PUT", target(bucket, key), key.encode()).status == 201
    return bucket


def page(server, bucket, **query) -> dict:
    answer = server.call("GET", f"/v1/objects/{bucket}?{urlencode(query)}")
    assert answer.status == 200, answer.body
    assert answer.header("Content-Type").split(";")[0] == "application/json"
    return answer.json()


def everything(server, bucket, **query) -> tuple[list[str], list[str]]:
    """All pages' keys and prefixes; every page but the last must be full."""
    keys, prefixes, after = [], [], {}
    for _ in range(1000):
        one = page(server, bucket, **query, **after)
        found = [entry["key"] for entry in one["objects"]]
        if "limit" in query:
            assert len(found) + len(one["prefixes"]) <= query["limit"]
        keys += found
        prefixes += one["prefixes"]
        if one["next"] is None:
            return keys, prefixes
        assert found or one["prefixes"], "an empty page that says there is more"
        after = {"after": one["next"]}
    raise AssertionError("the listing does not end")


def folded(keys, prefix, delimiter) -> tuple[list[str], list[str]]:
    """What a listing must say, by the obvious way."""
    objects, prefixes = [], []
    for key in keys:
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix):]
        if delimiter and delimiter in rest:
            fold = prefix + rest[:rest.index(delimiter) + len(delimiter)]
            if fold not in prefixes:
                prefixes.append(fold)
        else:
            objects.append(key)
    return objects, prefixes


def test_keys_come_in_the_order_of_their_utf8_bytes(server, filled):
    assert everything(server, filled) == (SORTED, [])


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20, 21, 22, 1000])
@pytest.mark.parametrize("prefix, delimiter", [
    ("", ""), ("", "/"), ("a", ""), ("a/", "/"), ("a", "/"), ("a/b", "/"), ("ä", "/"), ("日", "/"),
    ("", "//"), ("", "a/"), ("nothing", "/"), ("b/", "/"), ("", "本"), ("", "1"),
])
def test_a_listing_is_the_same_in_pages_of_any_size(server, filled, prefix, delimiter, limit):
    query = {"limit": limit}
    if prefix:
        query["prefix"] = prefix
    if delimiter:
        query["delimiter"] = delimiter
    assert everything(server, filled, **query) == folded(SORTED, prefix, delimiter)


def test_an_entry_says_size_etag_and_time(server, bucket):
    put = server.call("PUT", target(bucket, "x"), b"12345")
    entry = page(server, bucket)["objects"][0]
    assert (entry["key"], entry["size"]) == ("x", 5)
    assert entry["etag"].strip('"') == put.header("ETag").strip('"')
    assert entry["modified"].endswith("Z") and "T" in entry["modified"]


def test_after_a_key_come_the_keys_behind_it(server, bucket):
    for key in ("a", "b", "c"):
        server.call("PUT", target(bucket, key), b"")
    first = page(server, bucket, limit=1)
    assert [entry["key"] for entry in first["objects"]] == ["a"] and first["next"]
    server.call("DELETE", target(bucket, "a"))
    server.call("PUT", target(bucket, "aa"), b"")
    second = page(server, bucket, limit=10, after=first["next"])
    assert [entry["key"] for entry in second["objects"]] == ["aa", "b", "c"]


def test_what_is_acknowledged_is_listed_and_what_is_deleted_is_not(server, bucket):
    with server.place.session() as session:
        for number in range(200):
            key = f"k{number:04}"
            session.call("PUT", target(bucket, key), b"")
            listed = session.call("GET", f"/v1/objects/{bucket}?prefix={key}").json()["objects"]
            assert [entry["key"] for entry in listed] == [key]
            session.call("DELETE", target(bucket, key))
            assert not session.call("GET", f"/v1/objects/{bucket}?prefix={key}").json()["objects"]


def test_a_page_holds_at_most_1000(server, bucket):
    with server.place.session() as session:
        for number in range(1001):
            assert session.call("PUT", target(bucket, f"{number:05}"), b"").status == 201
    first = page(server, bucket)
    assert len(first["objects"]) == 1000 and first["next"] is not None
    last = page(server, bucket, after=first["next"])
    assert [entry["key"] for entry in last["objects"]] == ["01000"] and last["next"] is None
    assert len(page(server, bucket, limit=1000)["objects"]) == 1000


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=1001", "limit=", "limit=1&limit=2",
                                   "prefix=%ff", "prefix=%zz", "delimiter=%ff"])
def test_a_parameter_that_makes_no_sense_is_400(server, bucket, query):
    assert_problem(server.call("GET", f"/v1/objects/{bucket}?{query}"), 400)


def test_a_listing_of_no_bucket_is_404(server):
    assert_problem(server.call("GET", "/v1/objects/no-such-bucket-here"), 404, "no-such-bucket")


def test_an_empty_bucket_lists_nothing(server, bucket):
    one = page(server, bucket)
    assert (one["objects"], one["prefixes"], one["next"]) == ([], [], None)
    assert one["bucket"] == bucket
