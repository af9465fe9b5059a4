"""A client that repeats a request whose answer was lost gets that answer, not a second effect."""

import threading

import pytest

from payload import MIB, seeded
from wire import assert_problem, target


def put(server, bucket, key, data, token, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.call("PUT", target(bucket, key), data, {"Idempotency-Key": token, **named})


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_repeated_put_gets_the_first_answer(server, bucket, size):
    data = seeded(size)
    first = put(server, bucket, "k", data, '"token-1"')
    second = put(server, bucket, "k", data, '"token-1"')
    assert first.status == second.status == 201
    for name in ("ETag", "x-vortex-version"):
        assert first.header(name) == second.header(name), name


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_repeated_conditional_create_gets_its_success(server, bucket, size):
    data = seeded(size)
    first = put(server, bucket, "k", data, "token-2", If_None_Match="*")
    second = put(server, bucket, "k", data, "token-2", If_None_Match="*")
    third = put(server, bucket, "k", data, "token-3", If_None_Match="*")
    assert (first.status, second.status, third.status) == (201, 201, 412)


def test_a_repeat_does_not_undo_what_came_after(server, bucket):
    put(server, bucket, "k", b"first", "t")
    server.call("PUT", target(bucket, "k"), b"second")
    assert put(server, bucket, "k", b"first", "t").status == 201
    assert server.call("GET", target(bucket, "k")).body == b"second"


def test_the_same_key_with_another_body_is_refused(server, bucket):
    put(server, bucket, "k", b"first", "t")
    answer = put(server, bucket, "k", b"other", "t")
    assert answer.status in (409, 422), answer.status
    assert_problem(answer, answer.status, "idempotency-mismatch")
    assert server.call("GET", target(bucket, "k")).body == b"first"


def test_the_same_key_on_another_path_is_another_request(server, bucket):
    assert put(server, bucket, "a", b"x", "t").status == 201
    assert put(server, bucket, "b", b"y", "t").status == 201
    assert server.call("GET", target(bucket, "b")).body == b"y"


def test_a_repeated_delete_gets_the_first_answer(server, bucket):
    tag = server.call("PUT", target(bucket, "k"), b"x").header("ETag")
    headers = {"Idempotency-Key": "d1", "If-Match": tag}
    first = server.call("DELETE", target(bucket, "k"), headers=headers)
    second = server.call("DELETE", target(bucket, "k"), headers=headers)
    assert (first.status, second.status) == (204, 204)
    assert second.header("x-vortex-existed") == "true"
    other = server.call("DELETE", target(bucket, "k"), headers={**headers, "Idempotency-Key": "d2"})
    assert other.status == 412


def test_repeats_at_the_same_time_have_one_effect(server, bucket):
    answers = []
    data = seeded(200_000)
    threads = [threading.Thread(target=lambda: answers.append(
        put(server, bucket, "k", data, "at-once", If_None_Match="*"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [201] * 8
    assert len({answer.header("x-vortex-version") for answer in answers}) == 1


def test_an_answer_is_owed_after_a_crash_too(new_server):
    server = new_server().start()
    server.create_bucket("owed")
    first = put(server, "owed", "k", b"x", "t", If_None_Match="*")
    server.restart()
    second = put(server, "owed", "k", b"x", "t", If_None_Match="*")
    assert (first.status, second.status) == (201, 201)
    assert first.header("x-vortex-version") == second.header("x-vortex-version")


@pytest.mark.parametrize("token", ["", "x" * 2000])
def test_a_key_that_is_none_is_400(server, bucket, token):
    assert_problem(put(server, bucket, "k", b"x", token), 400)
