"""A cluster whose nodes ask for keys; the first key is the environment's, here a known one."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import Cluster, Node, remove
from server import poll

KEY, SECRET = "VXNATESTTESTTESTTEST", "0123456789abcdefghijklmnopqrstuvwxyzABCD"


class KeyedCluster(Cluster):
    """Every node asks for keys; the first key is the environment's."""

    def make(self, number: int, join: str | None) -> Node:
        node = super().make(number, join)
        node.place.defaults = {"Authorization": f"Bearer {KEY}:{SECRET}"}
        return node

    def settle(self, *arguments, **settings) -> None:
        for node in self.nodes:
            if node.alive:
                poll(lambda: node.call("GET", "/v1/buckets").status == 200, 60, "the key is known")
        super().settle(*arguments, **settings)


@contextmanager
def keyed_cluster(directory: Path, count: int = 3):
    """So many nodes with keys; they are gone with their data afterwards."""
    with pytest.MonkeyPatch.context() as patch, KeyedCluster(directory, ["--auth", "keys"]) as cluster:
        patch.setenv("VORTEX_ACCESS_KEY", KEY)
        patch.setenv("VORTEX_SECRET_KEY", SECRET)
        yield cluster.start(count)
    remove(directory)
