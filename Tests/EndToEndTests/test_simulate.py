"""Runs in which the simulator has found something, each named by the law that was broken, and the
first seeds of all. The table in docs/testing.md tells more of each."""

import subprocess

import pytest

from server import BINARY

FOUND = {
    "a boot that was tried and forgotten does not shut a node out": (2, 3, "crashes"),
    "nothing is answered for a bucket that is gone": (3, 3, "none"),
    "no put is acknowledged into a bucket that is gone": (2, 3, "everything"),
    "a bad sector in a segment's header ends no start": (7, 5, "disk"),
    "a body that lives with its row is on the row's owners": (1, 5, "network"),
    "a former owner keeps no body of one chunk": (529, 6, "network"),
    "a node that joins leaves nothing where it was": (40_019, 4, "everything"),
    "who ceases to be an owner while it waits refuses": (30_003, 5, "disk"),
    "a copy whose record is rotten is made again": (3, 3, "everything"),
    "whoever finishes an upload gives the answer that its version had": (80, 3, "everything"),
    "a disk that knows an old layout asks for the new one": (446, 7, "everything"),
    "what a start writes is not taken for what the disk has lost": (358, 5, "everything"),
    "what an owner refuses is made good before all is whole": (665, 3, "clocks"),
    "a chunk that was not sent is made good before all is whole": (1284, 3, "everything"),
    "a deletion that was cut short ends no other bucket": (885, 5, "disk"),
    "one of two is lost while a third one joins": (198, 3, "membership"),
    "no start is counted by who was not asked": (1288, 3, "membership"),
    "a read that finds no room to write back says unavailable": (998, 3, "everything"),
    "copies owed to a node that was replaced are forgotten": (2102, 3, "everything"),
    "the answer is that of the attempt that took effect": (3212, 6, "everything"),
    "a copy that is long under way is missing": (1468, 3, "network"),
    "a last batch that cannot be read is damage": (4070, 4, "everything"),
    "a gateway that owns nothing of a chunk pays what it owes": (1972, 4, "everything"),
}


def simulate(*words) -> str:
    done = subprocess.run([BINARY, "simulate", *map(str, words), "--operations", "200"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("law", FOUND)
def test_what_a_seed_has_found_is_not_so_any_more(law):
    seed, nodes, faults = FOUND[law]
    assert "1 runs, 0 failed" in simulate("--seed", seed, "--nodes", nodes, "--faults", faults)


def test_the_first_seeds_of_all_pass():
    assert "60 runs, 0 failed" in simulate("--seed", 1, "--seeds", 60)
