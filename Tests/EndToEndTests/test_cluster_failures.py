"""Nodes that die, hang, and come back: clients that never retry do not notice one, and none loses
anything."""

import random
import time

import pytest

from cluster import last, until
from history import Load
from payload import MIB, digest, seeded
from wire import target

UNAVAILABLE_SECONDS = 15.0


def load_on(cluster, run_directory, seed, **settings) -> Load:
    cluster.create_bucket("load")
    return Load(cluster.nodes, "load", run_directory / "histories", seed, **settings)


def whole_again(cluster, load) -> int:
    """Everything has all its copies, every acknowledged object is there from every node, and what
    clients saw makes sense."""
    cluster.settle()
    count = load.verify(cluster.nodes)
    load.check_history()
    return count


# ---- one of three

@pytest.mark.timeout(600)
def test_clients_that_never_retry_do_not_notice_that_one_of_three_is_killed(
        new_cluster, run_directory, seed):
    cluster = new_cluster()
    load = load_on(cluster, run_directory, seed)
    moments = random.Random(seed)
    victims = moments.sample(cluster.nodes, 3)
    with load:
        for victim in victims:
            load.wait_acknowledged(100)
            last(moments.uniform(0, 0.5))
            failed = len(load.failures(excepted=[victim]))
            victim.kill()
            load.wait_acknowledged(300)
            cluster.wait_suspect(victim)
            load.wait_acknowledged(300)
            assert load.failures(excepted=[victim])[failed:] == []
            cluster.restart([victim])
            cluster.settle()
    print(f"{load.acknowledged} writes, slowest {load.slowest():.2f} s")
    assert whole_again(cluster, load) > 100


@pytest.mark.timeout(600)
@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_node_that_was_down_ends_with_everything(new_cluster, victim):
    cluster = new_cluster()
    cluster.create_bucket("down")
    dead = cluster.nodes[victim]
    left = cluster.others(dead)
    gateway = cluster.nodes.index(left[0])
    bodies = {f"before/{number}": seeded(30_000, f"b{number}") for number in range(20)}
    for key, body in bodies.items():
        assert cluster.put("down", key, body, by=gateway).status == 201
    dead.kill()
    for number in range(60):
        key = f"while/{number}"
        bodies[key] = seeded([0, 100, 70_000, 2 * MIB + 1][number % 4], key)
        by = cluster.nodes.index(left[number % 2])
        assert cluster.put("down", key, bodies[key], by=by).status == 201
    for number in range(0, 20, 2):
        assert left[1].call("DELETE", target("down", f"before/{number}")).status == 204
        del bodies[f"before/{number}"]
    cluster.restart()
    cluster.settle()
    cluster.wait_copies("down", [key for key in bodies if key.startswith("while/")], by=victim)
    for key, body in bodies.items():
        assert cluster.get_everywhere("down", key) == body, key
    for number in range(0, 20, 2):
        assert cluster.get_everywhere("down", f"before/{number}") is None, "it came back"
    # The others' copies are not needed: with any one other the node that was down has all.
    left[0].kill()
    for key, body in bodies.items():
        assert dead.call("GET", target("down", key)).body == body, key
    left[0].start()


@pytest.mark.timeout(600)
def test_a_node_that_hangs_is_passed_by(new_cluster, run_directory, seed):
    cluster = new_cluster()
    frozen = cluster.nodes[2]
    load = load_on(cluster, run_directory, seed)
    with load:
        load.wait_acknowledged(100)
        load.gateways = cluster.others(frozen)
        load.wait_acknowledged(30)
        frozen.freeze()
        try:
            begin = load.acknowledged
            last(10)
        finally:
            frozen.thaw()
        assert load.acknowledged - begin > 50, "hardly anything got through"
        load.wait_acknowledged(100)
        assert load.failures(excepted=[frozen]) == []
        assert load.slowest(excepted=[frozen]) < 5
        cluster.settle()
        load.gateways = cluster.nodes
        load.wait_acknowledged(100)
    print(f"slowest {load.slowest(excepted=[frozen]):.2f} s")
    whole_again(cluster, load)


# ---- two of three

@pytest.mark.timeout(600)
def test_without_a_majority_nothing_is_promised_and_nothing_lost(new_cluster, run_directory, seed):
    cluster = new_cluster()
    load = load_on(cluster, run_directory, seed)
    with load:
        load.wait_acknowledged(300)
    cluster.put("load", "there", b"there")
    left, *victims = random.Random(seed).sample(cluster.nodes, 3)
    for victim in victims:
        victim.kill()
    requests = [("PUT", target("load", "new"), b"x"), ("GET", target("load", "there"), None),
                ("DELETE", target("load", "there"), None), ("HEAD", target("load", "there"), None),
                ("GET", "/v1/objects/load", None), ("PUT", target("load", "big"), seeded(3 * MIB))]
    for method, path, body in requests:
        begin = time.monotonic()
        answer = left.call(method, path, body)
        seconds = time.monotonic() - begin
        assert answer.status == 503, (method, path, answer.status, answer.body[:300])
        assert int(answer.header("Retry-After")) >= 1
        assert seconds < UNAVAILABLE_SECONDS, (method, path, seconds)
        if method != "HEAD":
            assert answer.problem in ("no-quorum", "outcome-unknown"), answer.body
    assert left.call("GET", "/v1/health/live").status == 200
    until(lambda: None if left.status()["replication"]["without_quorum"] == 4096
          else f"{left.status()['replication']}", 30)
    cluster.restart(victims[:1])
    until(lambda: "still 503" if left.call("GET", target("load", "there")).status == 503 else None,
          30)
    assert cluster.put("load", "new", b"y", by=cluster.nodes.index(left)).status in (200, 201)
    cluster.restart()
    assert cluster.get_everywhere("load", "new") == b"y"
    # "there" and "big" may or may not have changed: their requests were told so.
    assert cluster.get_everywhere("load", "there") in (b"there", None)
    for key in ("new", "there", "big"):
        assert cluster.nodes[0].call("DELETE", target("load", key)).status == 204
    whole_again(cluster, load)


# ---- all of them

@pytest.mark.timeout(900)
def test_all_killed_at_once_under_load_lose_nothing(new_cluster, run_directory, seed):
    cluster = new_cluster()
    load = load_on(cluster, run_directory, seed)
    moments = random.Random(seed)
    for number in range(3):
        with load:
            load.wait_acknowledged(200)
            last(moments.uniform(0, 1))
            for node in cluster.nodes:
                node.kill()
        cluster.restart(moments.sample(cluster.nodes, 3))
        cluster.settle()
        count = load.verify(cluster.nodes)
        print(f"round {number}: {load.acknowledged} writes, {count} objects")
    whole_again(cluster, load)


def test_a_cluster_stopped_and_started_in_another_order_is_the_same(new_cluster):
    cluster = new_cluster()
    cluster.create_bucket("stop")
    bodies = {str(size): seeded(size) for size in (0, 10, 65_537, 5 * MIB)}
    for by, (key, body) in enumerate(bodies.items()):
        assert cluster.put("stop", key, body, by=by % 3).status == 201
    before = cluster.nodes[0].status()
    ids = [node.id for node in cluster.nodes]
    for order in ([2, 0, 1], [1, 2, 0]):
        for node in cluster.nodes:
            assert node.stop() == 0, node.log()[-2000:]
        cluster.restart([cluster.nodes[index] for index in order])
        cluster.settle()
        assert [node.id for node in cluster.nodes] == ids
        after = cluster.nodes[1].status()
        assert [after[name] for name in ("cluster", "members")] == [before["cluster"], 3]
        for key, body in bodies.items():
            assert digest(cluster.get_everywhere("stop", key)) == digest(body)
    boots = {one["node"]: one["boot"] for one in cluster.nodes[0].status()["nodes"]}
    for one in before["nodes"]:
        assert boots[one["node"]] >= one["boot"]
    first, second, third = cluster.nodes
    assert first.stop() == 0, "one alone: it need not wait for others"
    assert cluster.put("stop", "meanwhile", b"x", by=1).status == 201
    cluster.restart()
    cluster.settle()
    assert cluster.get_everywhere("stop", "meanwhile") == b"x"
