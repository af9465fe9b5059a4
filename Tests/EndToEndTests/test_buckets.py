"""Buckets: made, listed, and removed when they are empty."""

import re
import threading

import pytest

from wire import assert_problem, target


def test_a_bucket_is_created_once(server):
    first = server.call("PUT", "/v1/buckets/made-once")
    second = server.call("PUT", "/v1/buckets/made-once")
    assert (first.status, second.status) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["name"] == "made-once"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.json()["created"])
    assert server.call("GET", "/v1/buckets/made-once").json() == first.json()


def test_an_empty_bucket_is_deleted_and_its_successor_has_another_id(server):
    first = server.call("PUT", "/v1/buckets/goes-away").json()["id"]
    server.call("PUT", target("goes-away", "k"), b"x")
    assert_problem(server.call("DELETE", "/v1/buckets/goes-away"), 409, "bucket-not-empty")
    server.call("DELETE", target("goes-away", "k"))
    assert server.call("DELETE", "/v1/buckets/goes-away").status == 204
    assert_problem(server.call("GET", "/v1/buckets/goes-away"), 404, "no-such-bucket")
    assert_problem(server.call("DELETE", "/v1/buckets/goes-away"), 404, "no-such-bucket")
    assert_problem(server.call("PUT", target("goes-away", "k"), b"x"), 404, "no-such-bucket")
    second = server.call("PUT", "/v1/buckets/goes-away")
    assert second.status == 201 and second.json()["id"] != first
    assert server.call("GET", target("goes-away", "k")).status == 404


@pytest.mark.parametrize("name", [
    "ab", "v1", "x", "a" * 64, "UPPER", "under_score", "-dash", "dash-", "dot..dot", ".dot", "a b", "ä", "a%2Fb",
    "a%00b",
])
def test_a_name_that_is_none_is_refused(server, name):
    path = "/v1/buckets/" + name.replace("ä", "%C3%A4").replace(" ", "%20")
    assert_problem(server.call("PUT", path), 400, "invalid-bucket-name")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "a-b", "a1b", "123abc", "a.b-c"])
def test_a_name_of_3_to_63_is_taken(server, name):
    assert server.call("PUT", f"/v1/buckets/{name}").status == 201
    assert server.call("DELETE", f"/v1/buckets/{name}").status == 204


def test_buckets_are_listed_in_order_and_in_pages(server):
    names = [f"listed-{number:03}" for number in range(25)]
    for name in reversed(names):
        server.create_bucket(name)
    found, after = [], "listed"
    for _ in range(100):
        page = server.call("GET", f"/v1/buckets?after={after}&limit=4").json()
        assert len(page["buckets"]) <= 4
        found += [bucket["name"] for bucket in page["buckets"]]
        after = page["next"]
        if after is None:
            break
    assert after is None
    assert found == sorted(found)
    assert [name for name in found if name.startswith("listed-")] == names


def test_buckets_do_not_share_keys(server):
    for name in ("one-bucket", "two-bucket", "one-bucket-x"):
        server.create_bucket(name)
        server.call("PUT", target(name, "k"), name.encode())
    for name in ("one-bucket", "two-bucket", "one-bucket-x"):
        assert server.call("GET", target(name, "k")).body == name.encode()
        listed = server.call("GET", f"/v1/objects/{name}").json()["objects"]
        assert [entry["key"] for entry in listed] == ["k"]


def test_of_many_creators_one_creates(server):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(
        server.call("PUT", "/v1/buckets/raced-for"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
