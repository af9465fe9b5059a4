"""`./dev bench races`: how long racing writers of one object take, through all of three nodes.

Writers are threads here and the machine is the nodes' too: what is printed is an upper bound. Each figure is
the median of its runs; each run's result is checked, since a lost increment would be fast.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CREATORS, WRITERS, INCREMENTS = 200, 32, 1_000
SECONDS_MOST = 10.0


def create_race(cluster, run: int) -> float:
    from racing import at_once
    path = f"/races/creation-{run}"
    begin = time.monotonic()
    won = at_once(cluster, CREATORS, lambda racer, number: racer.create(path, b"%d" % number))
    seconds = time.monotonic() - begin
    assert sum(won) == 1, f"{sum(won)} winners"
    return seconds


def increment_race(cluster, run: int, writers: int) -> tuple[float, int]:
    from racing import count_together
    path = f"/races/counter-{run}-{writers}"
    assert cluster.nodes[0].call("PUT", path, b"0").status == 200
    begin = time.monotonic()
    beaten, unsure = count_together(cluster, path, writers, INCREMENTS)
    seconds = time.monotonic() - begin
    end = int(cluster.nodes[1].call("GET", path).body)
    assert INCREMENTS <= end <= INCREMENTS + unsure, (end, unsure)
    return seconds, beaten


def show(what: str, seconds: list[float], more: str = "") -> float:
    median = statistics.median(seconds)
    each = ", ".join(f"{one:.2f}" for one in seconds)
    print(f"{what}: median {median:.2f} s ({each}){more}", flush=True)
    return median


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench races", description=__doc__)
    parser.add_argument("--vortex", required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", default=None, help="where the nodes' data goes")
    options = parser.parse_args()
    os.environ["VORTEX_BINARY"] = options.vortex
    sys.path.insert(0, str(ROOT / "Tests/EndToEndTests"))
    from cluster import Cluster, remove
    place = options.directory or ROOT / ".build-e2e"
    Path(place).mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="races-", dir=place))
    cluster = Cluster(directory, ["--access-log", "off"])
    try:
        cluster.start(3)
        cluster.create_bucket("races")
        runs = range(options.runs)
        show(f"{CREATORS} creations of one object, one winner",
             [create_race(cluster, run) for run in runs])
        for writers in (1, WRITERS):
            done = [increment_race(cluster, run, writers) for run in runs]
            beaten = statistics.median(count for _, count in done)
            median = show(f"{INCREMENTS:,} increments by {writers}, none lost",
                          [one for one, _ in done], f", {beaten:,.0f} attempts beaten by others")
    finally:
        for node in cluster.nodes:
            node.kill()
        remove(directory)
    print(f"{WRITERS} writers: {median:.1f} s, target under {SECONDS_MOST:.0f} s")
    return 0 if median < SECONDS_MOST else 1


if __name__ == "__main__":
    sys.exit(main())
