"""A key is bytes: what is put under it is found under it, and under nothing else."""

import random
from urllib.parse import quote_from_bytes

import pytest

from wire import assert_problem, target

ODD = [
    "..", ".", "../..", "../../etc/passwd", "a/../b", "./a", "a/./b", "a//b", "//", "/", "/a", "a/", "a//",
    "//a//", " ", "  ", "a b", "%", "%2F", "%252F", "%00", "a%", "+", "a+b", "?", "a?b=c", "#", "a#b", "&", ";",
    "a;b", ":", "@", "!", "$", "'", '"', "(", ")", "*", ",", "=", "[", "]", "\\", "a\\b", "^", "`", "{", "|", "}",
    "~", "\t", "\n", "\r\n", "a\r\nX-Injected: 1", "\x7f", "\x01", "\x1f", "\u0080", "\u00a0", "\u200b", "\ufeff",
    "é", "e\u0301", "ß", "Ж", "日本語", "🐙", "👩‍👩‍👧‍👦", "\U0010ffff", "\uffff", "\ufffd", "İ", "ﬁ", "v1", "v1/objects",
    "uploads", "index.html", "a" * 255, "a/" * 500, ".." * 100, "-", "--help", "~root", "CON", "nul.txt",
]


@pytest.mark.parametrize("key", ODD, ids=[ascii(key)[:40] for key in ODD])
def test_an_odd_key_is_kept_as_it_is(server, bucket, key):
    body = key.encode()
    assert server.call("PUT", target(bucket, key), body).status == 201
    assert server.call("GET", target(bucket, key)).body == body
    listed = server.call("GET", f"/v1/objects/{bucket}").json()["objects"]
    assert [entry["key"] for entry in listed] == [key]
    assert server.call("DELETE", target(bucket, key)).header("x-vortex-existed") == "true"


def test_odd_keys_are_all_different_keys(server, bucket):
    for key in ODD:
        assert server.call("PUT", target(bucket, key), key.encode()).status == 201, ascii(key)
    for key in ODD:
        assert server.call("GET", target(bucket, key)).body == key.encode(), ascii(key)
    listed = server.call("GET", f"/v1/objects/{bucket}").json()["objects"]
    assert [entry["key"] for entry in listed] == sorted(ODD, key=lambda key: key.encode())


def test_every_byte_but_nul_may_be_in_a_key(server, bucket):
    low = bytes(range(1, 128))
    high = "".join(chr(point) for point in range(0x80, 0x800, 37)).encode()
    every_lead = "\u0800\u1000\ud7ff\ue000\U00010000\U00040000\U00100000".encode()
    for key in (low, high, every_lead, *[bytes([byte]) for byte in range(1, 128)]):
        assert server.call("PUT", target(bucket, key), key).status == 201, key
        assert server.call("GET", target(bucket, key)).body == key, key


def test_percent_encoding_of_a_byte_changes_nothing(server, bucket):
    key = b"a/b c~d.e-f_g"
    encoded = "".join(f"%{byte:02x}" for byte in key)
    upper = "".join(f"%{byte:02X}" for byte in key)
    path = f"/v1/objects/{bucket}/"
    assert server.call("PUT", path + encoded, b"x").status == 201
    for other in (upper, "a/b%20c~d.e-f_g", "a%2Fb%20c%7Ed.e-f_g", "a/b%20c~d%2Ee-f_g"):
        assert server.call("GET", path + other).body == b"x", other


def test_a_plus_is_a_plus(server, bucket):
    server.call("PUT", target(bucket, "a b"), b"space")
    server.call("PUT", f"/v1/objects/{bucket}/a+b", b"plus")
    assert server.call("GET", f"/v1/objects/{bucket}/a%20b").body == b"space"
    assert server.call("GET", f"/v1/objects/{bucket}/a%2Bb").body == b"plus"


@pytest.mark.parametrize("key", ["k" * 1024, "é" * 512, "🐙" * 256, "a/" * 512, "\n" * 1024])
def test_1024_bytes_are_a_key(server, bucket, key):
    assert server.call("PUT", target(bucket, key), b"x").status == 201
    assert server.call("GET", target(bucket, key)).body == b"x"


@pytest.mark.parametrize("key", ["k" * 1025, "é" * 512 + "a", "k" * 5000])
def test_1025_bytes_are_refused(server, bucket, key):
    for method in ("PUT", "GET", "DELETE"):
        answer = server.call(method, target(bucket, key), b"x" if method == "PUT" else None)
        assert_problem(answer, 400)


@pytest.mark.parametrize("raw", [
    b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"a\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\xc3",
])
def test_what_is_not_utf8_is_refused(server, bucket, raw):
    assert_problem(server.call("PUT", target(bucket, raw), b"x"), 400)


@pytest.mark.parametrize("text", ["%", "%2", "%zz", "a%G0", "%%41", "%u0041"])
def test_broken_percent_encoding_is_refused(server, bucket, text):
    answer = server.call("PUT", f"/v1/objects/{bucket}/{text}", b"x")
    assert_problem(answer, 400)


def test_random_keys_are_found_again(server, bucket, seed):
    random_ = random.Random(seed)
    keys = set()
    while len(keys) < 200:
        points = [random_.choice([random_.randrange(1, 128), random_.randrange(0x80, 0xd800),
                                  random_.randrange(0xe000, 0x110000)])
                  for _ in range(random_.randrange(1, 60))]
        keys.add("".join(map(chr, points)))
    with server.place.session() as session:
        for key in sorted(keys):
            safe = random_.choice(["/", "", "/!$&'()*+,;=:@"])
            path = f"/v1/objects/{bucket}/{quote_from_bytes(key.encode(), safe=safe)}"
            assert session.call("PUT", path, key.encode()).status == 201, ascii(key)
        for key in keys:
            assert session.call("GET", target(bucket, key)).body == key.encode(), ascii(key)
    listed = server.call("GET", f"/v1/objects/{bucket}").json()["objects"]
    assert [entry["key"] for entry in listed] == sorted(keys, key=lambda key: key.encode())
