"""Three machines, as network namespaces: cut off, cut off in one direction, healed."""

import time

import pytest

from cluster import until
from history import Load
from machines import MachineCluster, Network
from payload import MIB, seeded
from wire import target

UNAVAILABLE_SECONDS = 15.0


@pytest.fixture
def three(new_cluster):
    with Network(3) as network:
        cluster = new_cluster(kind=MachineCluster, network=network)
        yield cluster
        cluster.end()  # before its network goes


def cut_off(cluster, how: str):
    """Cuts the third machine off; what heals it again."""
    first, second, third = cluster.network.machines
    if how == "both ways":
        third.unplug()
        return third.plug
    if how == "it is not heard":
        third.lose(first, second)
        return lambda: third.find(first, second)
    first.lose(third)
    second.lose(third)

    def heal() -> None:
        first.find(third)
        second.find(third)
    return heal


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["both ways", "it is not heard", "it does not hear"])
def test_the_majority_goes_on_and_the_minority_says_503(three, run_directory, seed, how):
    cluster, minority = three, three.nodes[2]
    cluster.create_bucket("cut")
    assert cluster.put("cut", "old", b"old").status == 201
    load = Load(cluster.nodes[:2], "load", run_directory / "histories", seed, clients=6)
    cluster.create_bucket("load")
    with load:
        load.wait_acknowledged(200)
        heal = cut_off(cluster, how)
        load.wait_acknowledged(100)
        for number in range(3):
            requests = [("PUT", target("cut", f"new{number}"), b"x"),
                        ("GET", target("cut", "old"), None),
                        ("DELETE", target("cut", f"new{number}"), None),
                        ("PUT", target("cut", f"big{number}"), seeded(2 * MIB)),
                        ("GET", "/v1/objects/cut", None)]
            for method, path, body in requests:
                begin = time.monotonic()
                answer = minority.call(method, path, body)
                seconds = time.monotonic() - begin
                assert answer.status == 503, (method, path, answer.status, answer.body[:300])
                assert int(answer.header("Retry-After")) >= 1
                assert seconds < UNAVAILABLE_SECONDS, (method, path, seconds)
        if how == "both ways":
            cluster.wait_suspect(minority)
        body = seeded(3 * MIB, "while")
        assert cluster.put("cut", "while", body, by=1).status == 201
        load.wait_acknowledged(200)
        heal()
        until(lambda: "still 503" if minority.call("GET", target("cut", "old")).status == 503
              else None, 60)
        load.gateways = cluster.nodes
        load.wait_acknowledged(200)
    assert load.failures(excepted=[minority]) == []
    print(f"{load.acknowledged} writes, slowest {load.slowest(excepted=[minority]):.2f} s")
    cluster.settle()
    assert cluster.get_everywhere("cut", "while") == body
    assert cluster.get_everywhere("cut", "old") == b"old"
    cluster.wait_copies("cut", ["while"], by=2)
    load.verify(cluster.nodes)
    load.check_history()


@pytest.mark.timeout(600)
def test_a_network_that_flaps_loses_nothing(three, run_directory, seed):
    cluster = three
    cluster.create_bucket("load")
    load = Load(cluster.nodes, "load", run_directory / "histories", seed, clients=6)
    with load:
        for number, how in enumerate(2 * ["both ways", "it is not heard", "it does not hear"]):
            heal = cut_off(cluster, how)
            load.wait_acknowledged(60, seconds=120)
            heal()
            load.wait_acknowledged(20 if number % 2 else 200, seconds=120)
    cluster.settle()
    assert load.verify(cluster.nodes) > 50
    load.check_history()


def test_pieces_of_three_serve_nobody_and_heal(three):
    cluster = three
    cluster.create_bucket("apart")
    assert cluster.put("apart", "k", b"before").status == 201
    for machine in cluster.network.machines:
        machine.unplug()
    for node in cluster.nodes:
        for method in ("PUT", "GET"):
            answer = node.call(method, target("apart", "k"), b"x" if method == "PUT" else None)
            assert answer.status == 503, (method, answer.status)
    for machine in cluster.network.machines:
        machine.plug()
    cluster.settle()
    assert cluster.get_everywhere("apart", "k") in (b"before", b"x")
    assert cluster.put("apart", "k", b"after", by=2).status == 200
    assert cluster.get_everywhere("apart", "k") == b"after"
