"""Behind nginx, HAProxy and Caddy, over TCP and a Unix socket: whole, and streamed."""

import os
import pwd
import shutil
import subprocess
import tempfile

import pytest

from payload import MIB, blocks, digest
from server import free_port, poll
from wire import Place, read_head, status_of, talk, target


def nginx(directory, port, upstream):
    where = f"unix:{upstream.path}" if upstream.path else f"127.0.0.1:{upstream.port}"
    config = directory / "nginx.conf"
    config.write_text(f"""
        daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/error.log;
        events {{ worker_connections 1024; }}
        http {{
          access_log off; client_max_body_size 0;
          client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
          fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
          upstream vortex {{ server {where}; keepalive 16; }}
          server {{
            listen 127.0.0.1:{port};
            location / {{
              proxy_pass http://vortex; proxy_http_version 1.1; proxy_set_header Connection "";
              proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
              proxy_request_buffering off; proxy_buffering off;
            }}
          }}
        }}""")
    return ["nginx", "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(config)]


def haproxy(directory, port, upstream):
    where = f"unix@{upstream.path}" if upstream.path else f"127.0.0.1:{upstream.port}"
    config = directory / "haproxy.cfg"
    config.write_text(f"""
global
  maxconn 256
defaults
  mode http
  option forwardfor
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{port}
  default_backend vortex
backend vortex
  server one {where}
""")
    return ["haproxy", "-db", "-f", str(config)]


def caddy(directory, port, upstream):
    where = f"unix/{upstream.path}" if upstream.path else f"127.0.0.1:{upstream.port}"
    config = directory / "Caddyfile"
    config.write_text(f"""{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy {where} {{
    flush_interval -1
  }}
}}
""")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]


PROXIES = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy}


@pytest.fixture(scope="module")
def upstreams(run_directory):
    """A server on TCP and one on a Unix socket, for all proxies."""
    from server import Server
    # A Unix socket's path has at most 107 bytes.
    short = tempfile.mkdtemp(prefix="vx-", dir="/tmp")
    servers = {"tcp": Server(run_directory / "proxied-tcp", ["--access-log", "json"]),
               "unix": Server(run_directory / "proxied-unix", unix=f"{short}/s")}
    for server in servers.values():
        server.start()
        server.create_bucket("proxied")
    yield servers
    for server in servers.values():
        server.kill()
    shutil.rmtree(short)


@pytest.fixture(scope="module", params=[f"{name}-{kind}" for name in PROXIES for kind in ("tcp", "unix")])
def proxied(request, upstreams, run_directory):
    """(the proxy's place, the server behind it)"""
    name, kind = request.param.split("-")
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    server = upstreams[kind]
    directory = run_directory / f"proxy-{request.param}"
    directory.mkdir()
    place = Place(port=free_port())
    command = PROXIES[name](directory, place.port, server.place)
    environment = {**os.environ, "HOME": str(directory), "XDG_DATA_HOME": str(directory),
                   "XDG_CONFIG_HOME": str(directory)}
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=directory)

    def answers():
        assert process.poll() is None, (directory / "log").read_text()[-2000:]
        try:
            return place.call("GET", "/v1/health/live", timeout=5).status == 200
        except OSError:
            return False
    try:
        poll(answers, 30, f"{name} serving; {(directory / 'log').read_text()[-1000:]}")
        yield place, server
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("coding", ["content-length", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 100_000, 32 * MIB + 3])
def test_what_goes_in_through_a_proxy_comes_out(proxied, size, coding):
    place, server = proxied
    body = b"".join(blocks(size, seed=size))
    path = target("proxied", f"p-{size}-{coding}-{place.port}")
    sent = body if coding == "content-length" else blocks(size, seed=size)
    assert place.call("PUT", path, sent).status == 201
    for where in (place, server.place):
        got = where.call("GET", path)
        assert got.status == 200 and digest(got.body) == digest(body)
    ranged = place.call("GET", path, headers={"Range": "bytes=-10"})
    assert ranged.body == body[-10:] and ranged.status == (206 if size else 416) or size == 0


def test_an_upload_is_streamed_not_gathered(proxied):
    place, server = proxied
    body = b"".join(blocks(16 * MIB))
    key = f"streamed-{place.port}"
    with place.connect() as connection:
        connection.sendall(f"PUT {target('proxied', key)} HTTP/1.1\r\nHost: v\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body[: 8 * MIB])

        def arriving():
            uploads = server.call("GET", "/v1/uploads").json()["uploads"]
            return [one for one in uploads if one["key"] == key and one["offset"] >= 2 * MIB]
        poll(arriving, 20, "the upload's first half at the server")
        connection.sendall(body[8 * MIB:])
        assert status_of(read_head(connection)) == 201


def test_a_proxied_connection_is_kept_for_many_requests(proxied):
    place, _ = proxied
    with place.session() as session:
        for number in range(100):
            path = target("proxied", f"many-{number % 7}-{place.port}")
            assert session.call("PUT", path, b"x" * number).status in (200, 201)
            assert session.call("GET", path).body == b"x" * number


def test_a_refused_upload_does_not_poison_the_proxys_connection(proxied):
    place, _ = proxied
    for _ in range(20):
        answer = place.call("PUT", "/v1/objects/absent-bucket/k", b"GET / HTTP/1.1\r\n\r\n" * 20_000)
        assert answer.status in (404, 502), answer.status
        live = place.call("GET", "/v1/health/live")
        assert live.status == 200 and live.json() == {"status": "live"}


def test_odd_keys_pass_the_proxy(proxied):
    place, server = proxied
    for key in ("a b", "ä/🐙", "50%", "q?x=y#z", "a+b"):
        path = target("proxied", f"{place.port}/{key}")
        assert place.call("PUT", path, key.encode()).status == 201, key
        assert server.call("GET", path).body == key.encode()


def test_the_clients_address_is_taken_from_a_trusted_proxy(new_server):
    server = new_server(["--trusted-proxy", "127.0.0.0/8", "--access-log", "json"]).start()
    answer = server.call("GET", "/v1/nothing", headers={"X-Forwarded-For": "203.0.113.9"})
    number = answer.header("x-request-id")
    line = poll(lambda: [one for one in (server.log() + server.output()).splitlines() if number in one],
                10, "the log line")[0]
    assert "203.0.113.9" in line


def test_an_untrusted_address_is_not_believed(server):
    answer = server.call("GET", "/v1/nothing", headers={"X-Forwarded-For": "203.0.113.9"})
    number = answer.header("x-request-id")
    line = poll(lambda: [one for one in (server.log() + server.output()).splitlines() if number in one],
                10, "the log line")[0]
    assert "203.0.113.9" not in line


def test_the_unix_socket_is_replaced_after_a_crash_and_closed_to_others(upstreams):
    server = upstreams["unix"]
    server.restart()
    assert server.call("GET", "/v1/health/ready").status == 200
    mode = os.stat(server.place.path).st_mode & 0o777
    assert mode & 0o002 == 0, f"everybody may write to it: {mode:o} (owner {pwd.getpwuid(os.getuid()).pw_name})"
    assert status_of(talk(server.place, b"GET /v1/health/live HTTP/1.1\r\nHost: v\r\nConnection: close\r\n\r\n")) == 200
