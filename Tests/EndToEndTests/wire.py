"""HTTP as bytes on a socket: clients that send exactly what a test says, also what no client should."""

import http.client
import json
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

PROBLEM_PREFIX = "https://vortexnetfs.invalid/problems/"


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes = b""
    version: int = 11

    def header(self, name: str) -> str | None:
        return self.headers.get(name)

    def json(self):
        return json.loads(self.body)

    @property
    def problem(self) -> str | None:
        """The stable part of a problem's type, `no-such-bucket`; nil for what is no problem."""
        if not (self.header("Content-Type") or "").startswith("application/problem+json"):
            return None
        return self.json()["type"].removeprefix(PROBLEM_PREFIX)


@dataclass
class Place:
    """Where a server listens: host and port, or the path of a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 0
    path: str | None = None
    tls: ssl.SSLContext | None = None
    defaults: dict = field(default_factory=dict)

    def connect(self, timeout: float = 60) -> socket.socket:
        if self.path:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(timeout)
            connection.connect(self.path)
            return connection
        connection = socket.create_connection((self.host, self.port), timeout=timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_hostname=self.host)
        return connection

    def session(self, timeout: float = 60) -> "Session":
        return Session(self, timeout)

    def call(self, method: str, target: str, body=None, headers=None, timeout: float = 60) -> Answer:
        """One request on a connection of its own. An iterable body is sent chunked."""
        with Session(self, timeout) as session:
            return session.call(method, target, body, headers)


class Session:
    """One keep-alive connection; opened at the first call."""

    def __init__(self, place: Place, timeout: float = 60):
        self.place = place
        self.connection = http.client.HTTPConnection(place.host, place.port, timeout=timeout)
        self.connection.sock = place.connect(timeout)
        self.connection.auto_open = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def call(self, method: str, target: str, body=None, headers=None) -> Answer:
        chunked = body is not None and not isinstance(body, (bytes, bytearray, memoryview))
        connection = self.connection
        names = {name.lower() for name in headers or {}}
        connection.putrequest(method, target, skip_accept_encoding=True)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif "content-length" not in names:
            if body is not None or method in ("PUT", "POST", "PATCH"):
                connection.putheader("Content-Length", str(len(body or b"")))
        for name, value in {**self.place.defaults, **(headers or {})}.items():
            for one in value if isinstance(value, list) else [value]:
                connection.putheader(name, one)
        try:
            connection.endheaders(body, encode_chunked=chunked)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server answered before the body's end; its answer is what counts
        return self.read(method)

    def read(self, method: str) -> Answer:
        response = http.client.HTTPResponse(self.connection.sock, method=method)
        response.begin()
        body = response.read()
        self.connection._HTTPConnection__state = "Idle"
        return Answer(response.status, response.headers, body, response.version)


def target(bucket: str, key: str | bytes, safe: str = "/") -> str:
    """An object's request target; every byte that is not plainly safe is percent-encoded."""
    raw = key.encode() if isinstance(key, str) else key
    return f"/v1/objects/{bucket}/{quote_from_bytes(raw, safe=safe)}"


def talk(place: Place, data: bytes, timeout: float = 10, finish: bool = False) -> bytes:
    """Sends bytes and returns all that comes back until the server closes or is silent for `timeout`."""
    with place.connect(timeout) as connection:
        try:
            connection.sendall(data)
            if finish:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    received = bytearray()
    try:
        while piece := connection.recv(65536):
            received += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return bytes(received)


def read_head(connection: socket.socket) -> bytes:
    """Up to and with the empty line; b"" when the server closed without a word."""
    received = bytearray()
    while b"\r\n\r\n" not in received:
        piece = connection.recv(1)
        if not piece:
            break
        received += piece
    return bytes(received)


def status_of(received: bytes) -> int | None:
    """The first status line's code, nil where there is none."""
    if not received.startswith(b"HTTP/1."):
        return None
    return int(received.split(b" ", 2)[1])


def assert_problem(answer: Answer, status: int, slug: str | None = None) -> None:
    """RFC 9457, and the request id that the access log has."""
    assert answer.status == status, (answer.status, answer.body[:500])
    content_type = answer.header("Content-Type")
    assert content_type and content_type.split(";")[0] == "application/problem+json", content_type
    problem = answer.json()
    assert problem["type"].startswith(PROBLEM_PREFIX), problem
    assert problem["status"] == status, problem
    assert isinstance(problem["title"], str) and problem["title"], problem
    assert isinstance(problem.get("detail", ""), str), problem
    assert answer.header("x-request-id"), "no request id in the header"
    assert problem["instance"] == answer.header("x-request-id"), problem
    if slug is not None:
        assert problem["type"] == PROBLEM_PREFIX + slug, problem
