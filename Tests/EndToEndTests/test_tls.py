"""TLS of its own, when it is given a certificate and a key."""

import ssl
import subprocess

import pytest

from payload import MIB, blocks, digest
from server import free_port
from wire import status_of, talk, target


@pytest.fixture
def certificate(scratch):
    cert, key = scratch / "cert.pem", scratch / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def test_objects_travel_over_tls(new_server, certificate):
    cert, key = certificate
    server = new_server(["--tls-cert", str(cert), "--tls-key", str(key)])
    server.place.tls = ssl.create_default_context(cafile=str(cert))
    server.start()
    server.create_bucket("tls")
    whole = b"".join(blocks(20 * MIB + 1))
    assert server.call("PUT", target("tls", "k"), whole).status == 201
    assert digest(server.call("GET", target("tls", "k")).body) == digest(whole)
    done = subprocess.run(["curl", "-sS", "--fail", "--cacert", str(cert), "-r", "5-9",
                           f"{server.url}/v1/objects/tls/k"], capture_output=True)
    assert done.stdout == whole[5:10], done.stderr
    with server.place.connect() as connection:
        assert connection.version() in ("TLSv1.2", "TLSv1.3")


def test_plain_http_on_a_tls_port_gets_no_data(new_server, certificate):
    cert, key = certificate
    server = new_server(["--tls-cert", str(cert), "--tls-key", str(key)])
    server.place.tls = ssl.create_default_context(cafile=str(cert))
    server.start()
    plain = type(server.place)(port=server.place.port)
    received = talk(plain, b"GET /v1/status HTTP/1.1\r\nHost: v\r\n\r\n", timeout=10)
    assert status_of(received) != 200
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    server.place.tls = old
    with pytest.raises((ssl.SSLError, OSError)):
        server.place.connect().close()
    server.place.tls = None


@pytest.mark.parametrize("broken", ["missing", "swapped", "half"])
def test_a_certificate_that_is_none_is_refused_at_the_start(new_server, certificate, scratch, broken):
    cert, key = certificate
    flags = {
        "missing": ["--tls-cert", str(scratch / "none.pem"), "--tls-key", str(key)],
        "swapped": ["--tls-cert", str(key), "--tls-key", str(cert)],
        "half": ["--tls-cert", str(cert)],
    }[broken]
    server = new_server(flags)
    server.place.port = free_port()
    server.spawn()
    assert server.process.wait(timeout=30) != 0
    assert server.log().strip() and "fatal error" not in server.log().lower(), server.log()[-1000:]
