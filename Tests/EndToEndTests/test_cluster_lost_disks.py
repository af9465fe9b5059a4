"""Disks that lose something while their node is down: a byte of the journal, all of it, or the time
since an image was taken. The others have it, and the node gets it from them."""

import shutil

import pytest

from cluster import until
from history import Load
from payload import MIB, seeded
from wire import target

BLOCK = 4096
# Behind the segment's header.
FIRST_BATCH = 2 * BLOCK


def flip_a_byte(node) -> int:
    """In the head of the batch in the middle of the journal's last segment; where that was."""
    segment = sorted(node.data.glob("segment-*"))[-1]
    data = bytearray(segment.read_bytes())
    magic = data[FIRST_BATCH:FIRST_BATCH + 4]
    batches = [at for at in range(FIRST_BATCH, len(data), BLOCK) if data[at:at + 4] == magic]
    assert len(batches) > 20, batches
    at = batches[len(batches) // 2] + 20
    with open(segment, "r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ 1]))
    return at


def unfenced(cluster) -> str | None:
    seen = [(one["state"], one["fenced"]) for node in cluster.nodes
            for one in node.status()["nodes"]]
    return f"{seen}" if any(one != ("active", False) for one in seen) else None


@pytest.mark.timeout(600)
def test_a_flipped_byte_in_a_journal_costs_nothing_that_was_acknowledged(new_cluster):
    cluster = new_cluster()
    cluster.create_bucket("flip")
    away, other, damaged = cluster.nodes
    bodies = {f"large/{number}": seeded(2 * MIB + number, f"l{number}") for number in range(4)}
    for key, body in bodies.items():
        assert cluster.put("flip", key, body).status == 201
    cluster.settle()
    away.kill()
    # Two owners have these, and one of them loses some: a majority has never had those.
    for number in range(200):
        key = f"small/{number}"
        bodies[key] = seeded(2_000, key)
        assert cluster.put("flip", key, bodies[key], by=1 + number % 2).status == 201
    damaged.kill()
    flip_a_byte(damaged)
    away.start()
    damaged.spawn()
    while not damaged.ready():
        # None is said to be absent on the way.
        for key in list(bodies)[::20]:
            answer = away.call("GET", target("flip", key))
            assert answer.status in (200, 503), (key, answer.status)
    cluster.settle()
    assert unfenced(cluster) is None
    journal = damaged.status()["journal"]
    assert len(journal["damaged"]) == 1 and not journal["damaged"][0]["may_hide_rows"], journal
    for key, body in bodies.items():
        assert cluster.get_everywhere("flip", key) == body, key
    # The chunks were there all the time.
    assert damaged.status()["repair"]["copied_chunks"] == 0, damaged.status()["repair"]
    other.kill()
    for key, body in bodies.items():
        assert damaged.call("GET", target("flip", key)).body == body, key
    cluster.restart()
    cluster.settle()


@pytest.mark.timeout(900)
def test_a_node_whose_directory_is_gone_is_replaced_by_its_own_command(
        new_cluster, run_directory, seed):
    cluster = new_cluster()
    cluster.create_bucket("load")
    load = Load(cluster.nodes, "load", run_directory / "histories", seed)
    lost = cluster.nodes[2]
    old = lost.id
    with load:
        load.wait_acknowledged(200)
        lost.kill()
        shutil.rmtree(lost.data)
        load.wait_acknowledged(100)
        cluster.wait_suspect(lost)
        lost.start()
        cluster.settle()
        load.wait_acknowledged(100)
    assert load.failures(excepted=[lost]) == []
    cluster.settle()
    assert lost.id != old
    for node in cluster.nodes:
        assert old not in [one["node"] for one in node.status()["nodes"]]
    assert load.verify(cluster.nodes) > 50
    load.check_history()
    cluster.wait_copies("load", load.keys_held()[:20])


@pytest.mark.timeout(600)
def test_a_restored_image_is_refused_with_the_way_out(new_cluster):
    cluster = new_cluster()
    cluster.create_bucket("image")
    node = cluster.nodes[1]
    assert cluster.put("image", "k", b"before").status == 201
    node.stop()
    image = node.directory / "image"
    shutil.copytree(node.data, image)
    node.start()
    assert cluster.put("image", "k", b"after").status == 200
    cluster.settle()
    node.stop()
    node.data.rename(node.directory / "newest")
    image.rename(node.data)
    words = node.refusal()
    assert "older copy" in words and "Move it away" in words, words
    shutil.rmtree(node.data)
    node.start()
    cluster.settle()
    assert cluster.get_everywhere("image", "k") == b"after"
    # The old one's own disk is of no use any more.
    node.stop()
    shutil.rmtree(node.data)
    (node.directory / "newest").rename(node.data)
    words = node.refusal()
    assert "Another node has taken this one's places" in words, words
    shutil.rmtree(node.data)
    node.start()
    until(cluster.unsettled, 120)
    assert cluster.get_everywhere("image", "k") == b"after"
