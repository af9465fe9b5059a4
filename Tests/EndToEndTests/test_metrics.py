"""/v1/metrics, /v1/status and /v1/placement: what an operator sees is true."""

import re

from payload import MIB, blocks, seeded
from server import poll
from wire import target

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (-?[0-9.eE+-]+|NaN|[+-]Inf)( \d+)?$')


def metrics(server) -> dict[str, float]:
    answer = server.call("GET", "/v1/metrics")
    assert answer.status == 200
    assert answer.header("Content-Type").startswith("text/plain")
    values = {}
    for line in answer.body.decode().splitlines():
        if line and not line.startswith("#"):
            match = LINE.match(line)
            assert match, f"no Prometheus line: {line!r}"
            name = match[1] + (match[2] or "")
            assert name not in values, f"twice: {name}"
            values[name] = float(match[3])
    return values


def total(values: dict[str, float], *words: str) -> float:
    return sum(value for name, value in values.items() if all(word in name for word in words))


def test_metrics_are_prometheus_text_with_types(server):
    text = server.call("GET", "/v1/metrics").body.decode()
    assert text.endswith("\n")
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    for name in metrics(server):
        base = re.sub(r"\{.*", "", name)
        assert base in typed or re.sub(r"_(bucket|sum|count)$", "", base) in typed, f"no type: {name}"
    for word in ("request", "byte", "sync", "records", "queue", "buffer"):
        assert any(word in name for name in typed), f"nothing about {word}"
    assert "histogram" in typed.values()


def test_histograms_add_up(server, bucket):
    server.call("PUT", target(bucket, "k"), b"x")
    values = metrics(server)
    for name, value in values.items():
        if re.match(r"[^{]*_bucket\{.*le=\"\+Inf\"", name):
            labels = re.sub(r',?le="\+Inf"', "", name.replace("_bucket", "_count", 1)).replace("{}", "")
            labels = labels.replace("{,", "{")
            assert values[labels] == value, name


def test_requests_and_bytes_are_counted(server, bucket):
    before = metrics(server)
    for number in range(10):
        server.call("PUT", target(bucket, str(number)), seeded(10_000, number))
        server.call("GET", target(bucket, str(number)))
    def counted():
        after = metrics(server)
        return total(after, "requests_total") - total(before, "requests_total") >= 20
    poll(counted, 10, "20 requests more")
    after = metrics(server)
    assert total(after, "sync", "total") > total(before, "sync", "total"), "a durable PUT syncs"


def test_status_tells_node_capacity_objects_and_journal(server, bucket):
    server.call("PUT", target(bucket, "k"), b"x")
    status = server.call("GET", "/v1/status").json()
    for word in ("node", "capacity", "objects", "bytes", "journal", "repair"):
        assert word in status, (word, list(status))


def test_placement_tells_chunks_owners_and_what_was_verified(server, bucket):
    for size in (10, 3 * MIB + 5):
        server.call("PUT", target(bucket, "p/q"), b"".join(blocks(size)))
        placement = server.call("GET", f"/v1/placement/{bucket}/p/q")
        assert placement.status == 200
        report = placement.json()
        assert report["size"] == size and len(report["row_owners"]) == 1
        assert report["chunk_count"] == len(report["chunks"]) == (1 if size <= MIB else 4), report
        assert sum(chunk["length"] for chunk in report["chunks"]) == size
        for chunk in report["chunks"]:
            assert [copy["state"] for copy in chunk["copies"]] == ["verified"], chunk
            assert chunk["copies"][0]["node"] == report["row_owners"][0]
            assert chunk["copies"][0]["verified"].endswith("Z")


def test_health_is_told(server):
    live = server.call("GET", "/v1/health/live")
    assert live.status == 200 and live.json() == {"status": "live"}
    assert server.call("GET", "/v1/health/ready").status == 200
    assert server.call("HEAD", "/v1/health/live").body == b""
