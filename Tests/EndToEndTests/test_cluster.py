"""Three nodes, every one a gateway: whatever is done through one is there through the others."""

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

import pipeline
from cluster import until
from payload import KIB, MIB, blocks, digest, seeded
from wire import assert_problem, target

ALL = (0, 1, 2)


def at_once(*work):
    """Runs all at the same moment; their results."""
    barrier = threading.Barrier(len(work))

    def run(one):
        barrier.wait(30)
        return one()
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result(120) for future in [pool.submit(run, one) for one in work]]


def entries(node, bucket, query="", limit=1000) -> tuple[list[dict], list[str]]:
    """All pages of a listing: objects and common prefixes."""
    return paged(lambda _: node, bucket, query, limit)


def paged(node_of, bucket, query, limit):
    objects, prefixes, after, number = [], [], "", 0
    while True:
        answer = node_of(number).call("GET", f"/v1/objects/{bucket}?limit={limit}{query}{after}")
        assert answer.status == 200, (answer.status, answer.body[:300])
        page = answer.json()
        assert len(page["objects"]) + len(page["prefixes"]) <= limit
        objects += page["objects"]
        prefixes += page["prefixes"]
        number += 1
        if page["next"] is None:
            return objects, prefixes
        after = "&after=" + quote(page["next"], safe="")


# ---- objects

@pytest.mark.parametrize("size", [0, 1, 64 * KIB, MIB, MIB + 1, 5 * MIB])
@pytest.mark.parametrize("writer", ALL)
def test_an_object_is_the_same_through_every_node(cluster3, cluster_bucket, size, writer):
    data, key = seeded(size, f"same/{writer}"), f"size {size}/ä"
    put = cluster3.put(cluster_bucket, key, data, by=writer, headers={"x-vortex-meta-a": "b"})
    assert put.status == 201, put.body
    etag, path = put.header("ETag"), target(cluster_bucket, key)
    for node in cluster3.nodes:
        got = node.call("GET", path)
        assert (got.status, digest(got.body), got.header("ETag")) == (200, digest(data), etag)
        assert got.header("x-vortex-meta-a") == "b"
        assert got.header("x-vortex-version") == put.header("x-vortex-version")
        head = node.call("HEAD", path)
        assert (head.status, head.header("Content-Length")) == (200, str(size))
        for name in ("ETag", "Last-Modified", "x-vortex-version"):
            assert head.header(name) == got.header(name), name
        for first, end in ranges(size):
            part = node.call("GET", path, headers={"Range": f"bytes={first}-{end - 1}"})
            assert (part.status, part.body) == (206, data[first:end]), (first, end)
        objects, _ = entries(node, cluster_bucket)
        assert [(one["key"], one["size"]) for one in objects] == [(key, size)]
    assert cluster3.nodes[(writer + 1) % 3].call("DELETE", path).status == 204
    for node in cluster3.nodes:
        assert_problem(node.call("GET", path), 404, "no-such-object")
        assert entries(node, cluster_bucket) == ([], [])


def ranges(size: int) -> list[tuple[int, int]]:
    """Within a chunk, across the edges of blocks and chunks, and the last byte."""
    wanted = [(0, 1), (size - 1, size), (64 * KIB - 3, 64 * KIB + 3), (MIB - 5, MIB + 5),
              (MIB // 2, 3 * MIB + 1), (0, size)]
    return [(first, end) for first, end in wanted if 0 <= first < end <= size]


@pytest.mark.timeout(600)
def test_a_hundred_mebibytes_are_the_same_through_every_node(cluster3, cluster_bucket):
    size, path = 100 * MIB, target(cluster_bucket, "big")
    data = b"".join(blocks(size, seed=5))
    assert cluster3.nodes[0].call("PUT", path, blocks(size, seed=5)).status == 201
    for node in cluster3.nodes:
        got = node.call("GET", path)
        assert got.status == 200 and len(got.body) == size and got.body == data
        first = 57 * MIB - 100
        part = node.call("GET", path, headers={"Range": f"bytes={first}-{first + 3 * MIB - 1}"})
        assert part.status == 206 and part.body == data[first:first + 3 * MIB]
    assert cluster3.nodes[2].call("DELETE", path).status == 204


# ---- conditions

def test_of_racing_creations_through_three_gateways_one_wins(cluster3, cluster_bucket):
    for number in range(25):
        bodies = [f"{number}/{by}".encode() * (1 + 5000 * (number % 2)) for by in ALL]
        answers = at_once(*[
            lambda by=by: cluster3.put(cluster_bucket, f"k{number}", bodies[by], by,
                                       {"If-None-Match": "*"})
            for by in ALL])
        assert sorted(one.status for one in answers) == [201, 412, 412], number
        winner = next(by for by in ALL if answers[by].status == 201)
        assert cluster3.get_everywhere(cluster_bucket, f"k{number}") == bodies[winner]


def test_of_racing_replacements_through_three_gateways_one_wins(cluster3, cluster_bucket):
    etag = cluster3.put(cluster_bucket, "k", b"first").header("ETag")
    for number in range(25):
        bodies = [f"{number}/{by}".encode() for by in range(6)]
        answers = at_once(*[
            lambda by=by: cluster3.put(cluster_bucket, "k", bodies[by], by % 3, {"If-Match": etag})
            for by in range(6)])
        assert sorted(one.status for one in answers) == [200] + [412] * 5, number
        winner = next(by for by in range(6) if answers[by].status == 200)
        etag = answers[winner].header("ETag")
        assert cluster3.get_everywhere(cluster_bucket, "k") == bodies[winner]


def test_no_increment_of_a_counter_is_lost_and_none_is_in_doubt(cluster3, cluster_bucket):
    each = 200
    cluster3.put(cluster_bucket, "counter", b"0")

    def count(by: int) -> int:
        path, done = target(cluster_bucket, "counter"), 0
        with cluster3.nodes[by].place.session() as session:
            while done < each:
                got = session.call("GET", path)
                answer = session.call("PUT", path, str(int(got.body) + 1).encode(),
                                      {"If-Match": got.header("ETag")})
                assert answer.status in (200, 412), (answer.status, answer.body)
                done += answer.status == 200
        return done
    assert at_once(*[lambda by=by: count(by) for by in ALL]) == [each] * 3
    assert cluster3.get_everywhere(cluster_bucket, "counter") == b"%d" % (3 * each)


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_request_repeated_elsewhere_gets_the_first_answer(cluster3, cluster_bucket, size):
    data = seeded(size)
    headers = {"Idempotency-Key": "token-1", "If-None-Match": "*"}
    answers = [cluster3.put(cluster_bucket, "k", data, by, headers) for by in ALL]
    assert [one.status for one in answers] == [201, 201, 201]
    for name in ("ETag", "x-vortex-version"):
        assert len({one.header(name) for one in answers}) == 1, name
    other = cluster3.put(cluster_bucket, "k", b"another body", 1, headers)
    assert_problem(other, other.status, "idempotency-mismatch")
    cluster3.put(cluster_bucket, "k", b"second", 2)
    assert cluster3.put(cluster_bucket, "k", data, 1, headers).status == 201
    assert cluster3.get_everywhere(cluster_bucket, "k") == b"second", "it undid a later one"


def test_an_idempotent_request_at_three_gateways_at_once_has_one_effect(cluster3, cluster_bucket):
    for number in range(10):
        answers = at_once(*[
            lambda by=by: cluster3.put(cluster_bucket, f"k{number}", b"body", by,
                                       {"Idempotency-Key": f"t{number}", "If-None-Match": "*"})
            for by in ALL])
        assert [one.status for one in answers] == [201] * 3, [one.body for one in answers]
        assert len({one.header("x-vortex-version") for one in answers}) == 1


# ---- uploads

def test_an_upload_goes_on_at_other_gateways(cluster3, cluster_bucket):
    first, second, third = cluster3.nodes
    parts = [seeded(2 * MIB + 7, "one"), seeded(MIB, "two")]
    made = first.call("POST", f"/v1/uploads?bucket={cluster_bucket}&key=parts", b"",
                      {"Content-Type": "text/x"})
    assert made.status == 201, made.body
    location = made.header("Location")
    offset = 0
    for node, part in zip((second, first), parts):
        assert second.call("HEAD", location).header("Upload-Offset") == str(offset)
        answer = node.call("PATCH", location, part, {"Upload-Offset": str(offset)})
        assert answer.status == 204, answer.body
        offset += len(part)
    for node in cluster3.nodes:
        assert node.call("HEAD", location).header("Upload-Offset") == str(offset)
        wrong = node.call("PATCH", location, b"x", {"Upload-Offset": "0"})
        assert_problem(wrong, 409, "offset-mismatch")
        assert node.call("GET", target(cluster_bucket, "parts")).status == 404, "seen too early"
        listed = node.call("GET", "/v1/uploads").json()["uploads"]
        assert location.rsplit("/", 1)[1] in [one["id"] for one in listed if one["resumable"]]
    done = third.call("POST", location + "/complete", b"")
    assert done.status == 201 and done.header("ETag"), done.body
    assert cluster3.get_everywhere(cluster_bucket, "parts") == b"".join(parts)
    again = second.call("POST", location + "/complete", b"")
    assert (again.status in (200, 201), again.header("ETag")) == (True, done.header("ETag"))


def test_an_upload_aborted_at_another_gateway_is_gone(cluster3, cluster_bucket):
    location = cluster3.nodes[0].call(
        "POST", f"/v1/uploads?bucket={cluster_bucket}&key=gone", seeded(MIB)).header("Location")
    assert cluster3.nodes[1].call("DELETE", location).status == 204
    for node in cluster3.nodes:
        assert node.call("HEAD", location).status == 404
        assert_problem(node.call("POST", location + "/complete", b""), 404, "no-such-upload")


# ---- buckets

def test_a_bucket_is_there_and_gone_for_every_node(cluster3):
    first, second, third = cluster3.nodes
    first.create_bucket("everywhere")
    ids = {node.call("GET", "/v1/buckets/everywhere").json()["id"] for node in cluster3.nodes}
    assert len(ids) == 1
    for node in cluster3.nodes:
        page = node.call("GET", "/v1/buckets?limit=1000").json()
        assert "everywhere" in [one["name"] for one in page["buckets"]]
    assert cluster3.put("everywhere", "k", b"x", by=2).status == 201
    assert_problem(second.call("DELETE", "/v1/buckets/everywhere"), 409, "bucket-not-empty")
    assert first.call("DELETE", target("everywhere", "k")).status == 204
    assert second.call("DELETE", "/v1/buckets/everywhere").status == 204
    assert_problem(cluster3.put("everywhere", "k", b"x", by=2), 404, "no-such-bucket")
    for node in cluster3.nodes:
        assert_problem(node.call("GET", "/v1/buckets/everywhere"), 404, "no-such-bucket")


def test_no_put_slips_into_a_bucket_that_goes(cluster3):
    outcomes = set()
    for number in range(30):
        name = f"going-{number}"
        cluster3.nodes[0].create_bucket(name)
        size = 10 if number % 2 else 2 * MIB
        deleted, *puts = at_once(
            lambda: cluster3.nodes[1].call("DELETE", f"/v1/buckets/{name}"),
            lambda: cluster3.put(name, "a", seeded(size, "a"), by=2),
            lambda: cluster3.put(name, "b", seeded(size, "b"), by=0))
        statuses = [one.status for one in puts]
        outcomes.add((deleted.status, *statuses))
        # While a bucket is being looked through, puts are told that it is busy; or that nobody
        # knows, where one owner may have accepted before it heard and another one after.
        assert deleted.status in (204, 409) and set(statuses) <= {201, 404, 503}, outcomes
        assert {one.problem for one in puts if one.status == 503} <= {
            "busy", "outcome-unknown"}
        for key, status in zip("ab", statuses):
            if deleted.status == 204:
                assert status != 201, "a put was acknowledged in a bucket that is gone"
            elif status == 201:
                assert cluster3.get_everywhere(name, key) == seeded(size, key)
        if deleted.status == 204:
            cluster3.nodes[2].create_bucket(name)
            for node in cluster3.nodes:
                assert entries(node, name) == ([], []), "a new bucket of the old name is empty"
    print(outcomes)


# ---- listings

def key_of(number: int) -> str:
    return f"year={2000 + number % 4}/month={number % 12:02}/{number:05}"


@pytest.fixture(scope="module")
def many(module_cluster):
    """A bucket with 2,000 keys, put through all nodes."""
    module_cluster.create_bucket("many")
    for by, node in enumerate(module_cluster.nodes):
        counts = pipeline.run(node.place, (
            f"PUT {target('many', key_of(number))} HTTP/1.1\r\nHost: v\r\nContent-Length: 5\r\n\r\n"
            f"{number:05}".encode() for number in range(by, 2000, 3)), 8)
        assert set(counts) == {b"201"}, counts
    return "many", sorted(key_of(number) for number in range(2000))


@pytest.mark.parametrize("limit", [1000, 333, 70])
def test_a_listing_is_the_same_from_every_node(cluster3, many, limit):
    bucket, keys = many
    first = None
    for node in cluster3.nodes:
        objects, prefixes = entries(node, bucket, limit=limit)
        assert [one["key"] for one in objects] == keys and prefixes == []
        assert objects == (first := first or objects), "etags and times differ from node to node"
    objects, _ = paged(lambda page: cluster3.nodes[page % 3], bucket, "", limit)
    assert objects == first, "each page from another node"


@pytest.mark.parametrize("prefix, delimiter", [
    ("", "/"), ("year=2001/", "/"), ("year=2001/month=05/", "/"), ("year=200", "="), ("none", "/"),
    ("year=2003/", ""), ("", "month")])
def test_prefix_and_delimiter_are_the_same_from_every_node(cluster3, many, prefix, delimiter):
    bucket, keys = many
    objects, folded = [], set()
    for key in keys:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at < 0:
                objects.append(key)
            else:
                folded.add(key[:at + len(delimiter)])
    query = f"&prefix={quote(prefix, safe='')}"
    if delimiter:
        query += f"&delimiter={quote(delimiter, safe='')}"
    for limit in (1000, 3 if delimiter else 300):
        found, prefixes = paged(lambda page: cluster3.nodes[page % 3], bucket, query, limit)
        assert ([one["key"] for one in found], prefixes) == (objects, sorted(folded))


# ---- what operators see

def test_status_is_the_same_from_every_node(cluster3, cluster_bucket):
    for number in range(20):
        body = seeded(2 * MIB if number == 0 else 10)
        cluster3.put(cluster_bucket, f"k{number}", body, by=number % 3)
    cluster3.settle()
    common = ("cluster", "epoch", "members", "nodes", "replication", "repair")

    def differs() -> str | None:
        seen = [{name: node.status().get(name) for name in common} for node in cluster3.nodes]
        return None if all(one == seen[0] for one in seen) else f"{seen}"
    until(differs, 30)
    status = cluster3.nodes[0].status()
    ids = [node.id for node in cluster3.nodes]
    assert sorted(one["node"] for one in status["nodes"]) == sorted(ids) and len(set(ids)) == 3
    assert {one["address"] for one in status["nodes"]} == {node.address for node in cluster3.nodes}
    assert status["replication"]["replicas"] == 3
    assert status["replication"]["partitions"] == status["replication"]["fully_replicated"] == 4096
    assert [one["owned_partitions"] for one in status["nodes"]] == [4096] * 3


@pytest.mark.parametrize("size", [0, 100, 3 * MIB + 1])
def test_placement_shows_three_verified_copies_from_every_node(cluster3, cluster_bucket, size):
    cluster3.put(cluster_bucket, "k", seeded(size))
    cluster3.wait_copies(cluster_bucket, ["k"])
    ids = sorted(node.id for node in cluster3.nodes)
    seen = []
    for by, node in enumerate(cluster3.nodes):
        assert set(cluster3.verified_copies(cluster_bucket, "k", by)) <= {3}
        placement = node.call("GET", f"/v1/placement/{cluster_bucket}/k").json()
        assert sorted(placement["row_owners"]) == ids and placement["wanted_copies"] == 3
        for chunk in placement["chunks"]:
            assert sorted(copy["node"] for copy in chunk["copies"]) == ids
            for copy in chunk["copies"]:
                assert copy.pop("verified"), "no time of verification"
            chunk["copies"].sort(key=lambda copy: copy["node"])
        seen.append(placement)
    assert seen[0] == seen[1] == seen[2]
