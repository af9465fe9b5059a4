"""The bearer token: demanded where it is set. Beyond loopback somebody must always say who they are."""

import pytest

from wire import assert_problem, target

TOKEN = "correct-horse-battery-staple-0123456789"


@pytest.fixture
def guarded(new_server, scratch):
    file = scratch / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    server = new_server(["--token-file", str(file)]).start()
    server.place.defaults = {"Authorization": f"Bearer {TOKEN}"}
    server.create_bucket("guarded")
    server.place.defaults = {}
    return server


@pytest.mark.parametrize("value", [
    None, "", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}",
    TOKEN, f"Bearer {TOKEN} {TOKEN}", f"Bearer  {TOKEN}x",
])
def test_without_the_token_nothing_is_told_or_done(guarded, value):
    headers = {} if value is None else {"Authorization": value}
    for method, path in [("GET", "/v1/status"), ("GET", "/v1/buckets"), ("PUT", target("guarded", "k")),
                         ("GET", target("guarded", "k")), ("GET", "/v1/metrics"), ("GET", "/v1/nothing"),
                         ("POST", "/v1/uploads?bucket=guarded&key=k")]:
        answer = guarded.call(method, path, b"x" if method == "PUT" else None, headers)
        assert_problem(answer, 401)
        assert answer.header("WWW-Authenticate").startswith("Bearer")
    guarded.place.defaults = {"Authorization": f"Bearer {TOKEN}"}
    assert guarded.call("GET", target("guarded", "k")).status == 404


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER {TOKEN}"])
def test_with_the_token_all_is_served(guarded, value):
    headers = {"Authorization": value}
    assert guarded.call("PUT", target("guarded", "k"), b"x", headers).status == 201
    assert guarded.call("GET", target("guarded", "k"), headers=headers).body == b"x"


def test_two_authorizations_are_refused(guarded):
    headers = {"Authorization": [f"Bearer {TOKEN}", "Bearer other"]}
    assert guarded.call("GET", "/v1/status", headers=headers).status in (400, 401)


def test_health_needs_no_token(guarded):
    assert guarded.call("GET", "/v1/health/live").status == 200
    assert guarded.call("GET", "/v1/health/ready").status == 200


def test_the_token_is_in_no_log(guarded):
    guarded.call("GET", "/v1/status", headers={"Authorization": f"Bearer {TOKEN}"})
    guarded.stop()
    assert TOKEN not in guarded.log() + guarded.output()


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_beyond_loopback_no_gateway_is_open(new_server, host):
    server = new_server(["--auth", "open"])
    server.listen = f"{host}:{server.place.port}"
    server.spawn()
    assert server.process.wait(timeout=30) != 0
    assert "--auth open" in server.log(), server.log()
    server.flags = []
    server.start()
    assert_problem(server.call("GET", "/v1/buckets"), 401)
    assert server.call("GET", "/").status == 403
    assert server.call("GET", "/v1/health/live").status == 200


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_without_a_good_token_is_refused(new_server, scratch, content):
    file = scratch / "token"
    if content is not None:
        file.write_text(content)
    server = new_server(["--token-file", str(file)]).spawn()
    assert server.process.wait(timeout=30) != 0
    assert "token" in server.log().lower(), server.log()
