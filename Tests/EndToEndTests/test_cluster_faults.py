"""Random kills and hangs of one node of three after another, under load from all sides.

VORTEX_E2E_FAULT_SECONDS (default 20; 120 for the real thing), VORTEX_E2E_SEED.
"""

import os
import random
import time

import pytest

from cluster import last
from history import Load

SECONDS = float(os.environ.get("VORTEX_E2E_FAULT_SECONDS", "20"))


def hurt(node, kind: str, seconds: float) -> None:
    """Kills or freezes a node for some time; returns when it serves again."""
    if kind == "kill":
        node.kill()
        last(seconds)
        node.start()
    else:
        node.freeze()
        try:
            last(seconds)
        finally:
            node.thaw()
        node.wait_ready()


@pytest.mark.timeout(600 + 4 * SECONDS)
def test_random_faults_under_load_lose_nothing(new_cluster, run_directory, seed):
    print(f"seed {seed}, {SECONDS} s")
    choose = random.Random(seed)
    cluster = new_cluster()
    cluster.create_bucket("faults")
    load = Load(cluster.nodes, "faults", run_directory / "histories", seed, clients=12, timeout=20)
    faults, stuck = [], []
    end = time.monotonic() + SECONDS
    with load:
        load.wait_acknowledged(50)
        while time.monotonic() < end:
            node = choose.choice(cluster.nodes)
            kind = choose.choice(["kill", "kill", "freeze"])
            seconds = choose.uniform(0.05, 6) if choose.random() < 0.7 else 0.01
            before = load.acknowledged
            hurt(node, kind, seconds)
            faults.append((node.directory.name, kind, round(seconds, 2)))
            if load.acknowledged == before and seconds > 5:
                stuck.append(faults[-1])
            # Sometimes all is repaired before the next, sometimes it comes at once.
            if choose.random() < 0.4:
                cluster.settle()
            else:
                last(choose.choice([0, 0.1, 1]))
            load.check()
    print(f"{len(faults)} faults: {faults}")
    print(f"{load.acknowledged} writes, {len(load.failures())} failures: {load.failures()[:10]}")
    assert not stuck, "with one of three hurt for more than 5 s, nothing was written"
    cluster.restart()
    cluster.settle()
    count = load.verify(cluster.nodes)
    assert count > 50, "hardly anything was there; this test showed nothing"
    load.check_history()
    cluster.wait_copies("faults", choose.sample(load.keys_held(), 30))
