"""RFC 9110, section 13: requests that depend on what is there."""

import email.utils
import threading
import time

import pytest

from wire import assert_problem, target


@pytest.fixture
def tag(server, bucket) -> str:
    return server.call("PUT", target(bucket, "k"), b"first").header("ETag")


OTHER = '"00000000000000000000000000000000-1"'


def date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers, status", [
    ({"If-Match": "{tag}"}, 200),
    ({"If-Match": f"{OTHER}, {{tag}}"}, 200),
    ({"If-Match": "*"}, 200),
    ({"If-Match": OTHER}, 412),
    ({"If-Match": "W/{tag}"}, 412),
    ({"If-None-Match": "{tag}"}, 304),
    ({"If-None-Match": "W/{tag}"}, 304),
    ({"If-None-Match": f"{OTHER}, {{tag}}"}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": OTHER}, 200),
    ({"If-Modified-Since": date(3600)}, 304),
    ({"If-Modified-Since": date(-3600)}, 200),
    ({"If-Modified-Since": "yesterday"}, 200),
    ({"If-Unmodified-Since": date(-3600)}, 412),
    ({"If-Unmodified-Since": date(3600)}, 200),
    ({"If-Match": "{tag}", "If-Unmodified-Since": date(-3600)}, 200),
    ({"If-None-Match": OTHER, "If-Modified-Since": "{modified}"}, 200),
    ({"If-Modified-Since": "{modified}"}, 304),
    ({"If-Unmodified-Since": "{modified}"}, 200),
])
def test_a_read_obeys_its_condition(server, bucket, tag, method, headers, status):
    modified = server.call("HEAD", target(bucket, "k")).header("Last-Modified")
    filled = {name: value.format(tag=tag, modified=modified) for name, value in headers.items()}
    answer = server.call(method, target(bucket, "k"), headers=filled)
    assert answer.status == status, filled
    if status == 304:
        assert answer.body == b"" and answer.header("ETag") == tag
    if status == 412 and method == "GET":
        assert_problem(answer, 412, "precondition-failed")


@pytest.mark.parametrize("headers, status", [
    ({"If-Match": "{tag}"}, 200),
    ({"If-Match": "*"}, 200),
    ({"If-Match": OTHER}, 412),
    ({"If-Match": "W/{tag}"}, 412),
    ({"If-None-Match": "*"}, 412),
    ({"If-None-Match": "{tag}"}, 412),
    ({"If-None-Match": OTHER}, 200),
])
@pytest.mark.parametrize("size", [6, 3_000_000])
def test_a_put_over_an_object_obeys_its_condition(server, bucket, tag, headers, status, size):
    filled = {name: value.format(tag=tag) for name, value in headers.items()}
    answer = server.call("PUT", target(bucket, "k"), b"2" * size, filled)
    assert answer.status == status
    expected = b"first" if status == 412 else b"2" * size
    assert server.call("GET", target(bucket, "k")).body == expected


@pytest.mark.parametrize("headers, status", [
    ({"If-Match": OTHER}, 412),
    ({"If-Match": "*"}, 412),
    ({"If-None-Match": "*"}, 201),
    ({"If-None-Match": OTHER}, 201),
])
def test_a_put_of_a_new_object_obeys_its_condition(server, bucket, headers, status):
    assert server.call("PUT", target(bucket, "new"), b"data", headers).status == status
    there = server.call("GET", target(bucket, "new")).status
    assert there == (200 if status == 201 else 404)


@pytest.mark.parametrize("headers, status", [
    ({"If-Match": "{tag}"}, 204),
    ({"If-Match": "*"}, 204),
    ({"If-Match": OTHER}, 412),
    ({"If-None-Match": "*"}, 412),
    ({"If-None-Match": OTHER}, 204),
])
def test_a_delete_obeys_its_condition(server, bucket, tag, headers, status):
    filled = {name: value.format(tag=tag) for name, value in headers.items()}
    assert server.call("DELETE", target(bucket, "k"), headers=filled).status == status
    there = server.call("GET", target(bucket, "k")).status
    assert there == (404 if status == 204 else 200)


def test_a_delete_of_what_is_not_there_fails_its_if_match(server, bucket):
    answer = server.call("DELETE", target(bucket, "absent"), headers={"If-Match": "*"})
    assert_problem(answer, 412, "precondition-failed")


def test_one_of_many_creators_wins(server, bucket):
    statuses = []

    def create(number):
        answer = server.call("PUT", target(bucket, "race"), b"%d" % number, {"If-None-Match": "*"})
        statuses.append((answer.status, b"%d" % number))

    threads = [threading.Thread(target=create, args=[number]) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [body for status, body in statuses if status == 201]
    assert len(winners) == 1 and all(status in (201, 412) for status, _ in statuses), statuses
    assert server.call("GET", target(bucket, "race")).body == winners[0]


def test_compare_and_swap_loses_no_increment(server, bucket):
    server.call("PUT", target(bucket, "counter"), b"0")

    def increment():
        for _ in range(10):
            while True:
                now = server.call("GET", target(bucket, "counter"))
                answer = server.call("PUT", target(bucket, "counter"), b"%d" % (int(now.body) + 1),
                                     {"If-Match": now.header("ETag")})
                if answer.status == 200:
                    break
                assert answer.status == 412

    threads = [threading.Thread(target=increment) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.call("GET", target(bucket, "counter")).body == b"60"
