"""Nodes that join a running cluster, and those that may not: strangers, wrong secrets, hostile
bytes."""

import random
import shutil
import socket
import ssl
import stat
import tempfile
from pathlib import Path

import pytest

from cluster import REPLICAS, Cluster, Node, remove, until
from history import Load
from payload import seeded
from server import free_port, poll
from wire import target

# How far from its equal share of copies a node may be.
SHARE_TOLERANCE = 0.3


@pytest.mark.timeout(900)
def test_two_nodes_join_under_load_unnoticed(new_cluster, run_directory, seed):
    cluster = new_cluster()
    cluster.create_bucket("load")
    load = Load(cluster.nodes, "load", run_directory / "histories", seed, clients=6)
    with load:
        load.wait_acknowledged(300)
        for members in (4, 5):
            before = cluster.nodes[0].status()["epoch"]
            node = cluster.add()
            assert cluster.nodes[0].status()["epoch"] > before
            load.gateways = list(cluster.nodes)
            load.wait_acknowledged(200)
            shares = {one["node"]: one["owned_partitions"] for one in node.status()["nodes"]}
            mean = 4096 * REPLICAS / members
            assert sum(shares.values()) == 4096 * REPLICAS, shares
            for share in shares.values():
                assert abs(share - mean) < SHARE_TOLERANCE * mean, shares
    assert load.failures() == []
    cluster.settle()
    until(lambda: strays(cluster), 120)
    count = load.verify(cluster.nodes)
    load.check_history()
    cluster.wait_copies("load", random.Random(seed).sample(load.keys_held(), 20))
    print(f"{load.acknowledged} writes, {count} objects, slowest {load.slowest():.2f} s")
    # About a fifth of the bytes is on each disk. (Its journal's live bytes do not say so: what was
    # replaced waits there for its collector, and a late node has less of that.)
    stored = cluster.bytes_on_nodes("load", load.keys_held())
    assert min(stored) > 0.5 * max(stored), stored


def strays(cluster) -> str | None:
    left = [node.status()["repair"]["stray_chunks"] for node in cluster.nodes]
    return f"stray chunks: {left}" if any(left) else None


def test_a_node_joins_by_any_member_and_starts_again_with_the_same_command(new_cluster):
    cluster = new_cluster(count=2)
    cluster.create_bucket("any")
    third = cluster.make(3, cluster.nodes[1].address)
    cluster.nodes.append(third)
    third.start()
    cluster.settle()
    ids = [node.id for node in cluster.nodes]
    assert cluster.put("any", "k", b"x", by=2).status == 201
    for node in cluster.nodes:
        node.join = node.address  # "none"; and a member ignores it anyway
    third.stop()
    third.start()
    cluster.settle()
    assert [node.id for node in cluster.nodes] == ids
    cluster.nodes[0].stop()
    cluster.nodes[0].start()
    cluster.settle()
    assert cluster.get_everywhere("any", "k") == b"x"


def test_the_first_node_makes_a_secret_that_only_its_owner_reads(cluster3):
    assert stat.S_IMODE(cluster3.secret.stat().st_mode) == 0o600
    assert len(cluster3.secret.read_bytes().strip()) >= 32


# ---- who may not join

@pytest.fixture
def stranger(cluster3, run_directory):
    """A node that is not of the cluster, beside it; killed at the end."""
    made = []

    def make(secret) -> Node:
        directory = Path(tempfile.mkdtemp(prefix="stranger-", dir=run_directory))
        node = Node(directory, secret, cluster3.nodes[0].address)
        made.append(node)
        return node
    yield make
    for node in made:
        node.kill()
        remove(node.directory)


def undisturbed(cluster, bucket) -> None:
    cluster.settle()
    for by in range(len(cluster.nodes)):
        assert cluster.put(bucket, f"after/{by}", b"x", by=by).status in (200, 201)
        assert cluster.get_everywhere(bucket, f"after/{by}") == b"x"


def test_a_wrong_secret_is_refused(cluster3, cluster_bucket, stranger, run_directory):
    with Cluster(run_directory / "other-secret") as other:
        other.start(1)
        joiner = stranger(other.secret)
        words = joiner.refusal()
    assert "secret" in words.lower(), words
    lines = [line for line in joiner.log().splitlines() if line.strip()]
    assert len(lines) <= 10, "clear and short"
    undisturbed(cluster3, cluster_bucket)


def test_a_joiner_makes_no_secret_of_its_own(cluster3, stranger):
    joiner = stranger(cluster3.directory / "none")
    assert "secret" in joiner.refusal().lower()
    assert not joiner.secret.exists()
    assert not cluster3.unsettled()


def test_a_join_that_reaches_nobody_says_so(cluster3, stranger):
    joiner = stranger(cluster3.secret)
    joiner.join = f"127.0.0.1:{free_port()}"
    joiner.spawn()
    until(lambda: None if joiner.join in joiner.log() + joiner.output() else joiner.log(), 60)
    assert not cluster3.unsettled()


def test_a_node_of_another_cluster_is_refused(new_cluster, run_directory):
    """With the same secret, and even at a member's address."""
    cluster = new_cluster()
    cluster.create_bucket("mine")
    assert cluster.put("mine", "k", b"mine").status == 201
    member = cluster.nodes[2]
    with Cluster(run_directory / "other-cluster") as other:
        other.directory.mkdir()
        shutil.copy2(cluster.secret, other.secret)
        foreign = other.start(1).nodes[0]
        other.create_bucket("mine")
        assert other.put("mine", "k", b"theirs").status == 201
        identity = foreign.status()["cluster"]
        assert identity != cluster.nodes[0].status()["cluster"]
        foreign.kill()
        member.kill()
        foreign.address, foreign.join = member.address, cluster.nodes[0].address
        foreign.spawn()

        def unclear() -> str | None:
            if not foreign.alive:
                return None  # it may refuse to run
            return None if foreign.ready() else "neither ready nor ended"
        until(unclear, 60)
        cluster.wait_suspect(member)
        for by in (0, 1):
            status = cluster.nodes[by].status()
            assert status["members"] == 3 and foreign.address in [
                one["address"] for one in status["nodes"] if one["health"] != "alive"]
            assert cluster.put("mine", f"k{by}", b"x", by=by).status == 201
            assert cluster.nodes[by].call("GET", target("mine", "k")).body == b"mine"
        if foreign.alive:
            assert foreign.status()["cluster"] == identity and foreign.status()["members"] == 1
            assert foreign.call("GET", target("mine", "k")).body == b"theirs"
    cluster.restart()
    cluster.settle()
    assert cluster.get_everywhere("mine", "k0") == b"x"


# ---- hostile bytes

def client_hello() -> bytes:
    """What a TLS client says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(received, sent, server_hostname="vortex")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    return sent.read()


def hostile_bytes(seed) -> list[bytes]:
    choose, hello = random.Random(seed), client_hello()
    made = [b"", b"\0", b"GET / HTTP/1.1\r\nHost: v\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\xff\xff" + choose.randbytes(65535), b"\x16\x03\x03\x00\x00" * 1000,
            b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00" + choose.randbytes(16384),
            hello, hello * 50, b"\0" * 1_000_000, b"\xff" * 1_000_000, b"SSH-2.0-OpenSSH_9.2\r\n"]
    made += [hello[:length] for length in range(1, len(hello), 41)]
    for _ in range(60):
        made.append(choose.randbytes(choose.choice([1, 5, 64, 1000, 70_000])))
        broken = bytearray(hello)
        for _ in range(choose.randrange(1, 9)):
            broken[choose.randrange(len(broken))] = choose.randrange(256)
        made.append(bytes(broken))
    return made


def node_connection(node: Node) -> socket.socket:
    host, port = node.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


@pytest.mark.timeout(600)
def test_hostile_bytes_on_the_node_port_hurt_nothing(cluster3, cluster_bucket, run_directory, seed):
    victim = cluster3.nodes[0]
    before = [(node.pid, node.descriptors()) for node in cluster3.nodes]
    load = Load(cluster3.nodes, cluster_bucket, run_directory / "histories", seed, clients=3)
    open_ = []
    try:
        with load:
            for data in hostile_bytes(seed):
                connection = node_connection(victim)
                open_.append(connection)
                try:
                    connection.sendall(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # refused before it was all there
            load.wait_acknowledged(100)
        assert load.failures() == []
        for connection in open_:
            assert closed_within(connection, 60), "a connection that says nothing stays open"
    finally:
        for connection in open_:
            connection.close()
    assert victim.memory_bytes() < 300 << 20
    poll(lambda: all(node.alive and node.pid == pid and node.descriptors() < count + 40
                     for node, (pid, count) in zip(cluster3.nodes, before)), 60, "all as before")
    assert len(victim.log()) < 1_000_000, "each refusal is logged, the same ones once a minute"
    undisturbed(cluster3, cluster_bucket)


def closed_within(connection: socket.socket, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_without_the_clusters_certificate_gets_no_word(cluster3, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    for _ in range(20):
        with node_connection(cluster3.nodes[1]) as raw:
            try:
                with context.wrap_socket(raw) as connection:
                    connection.sendall(seeded(4096))
                    assert connection.recv(1) == b"", "an answer to a stranger"
            except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
                pass
    assert not cluster3.unsettled()
