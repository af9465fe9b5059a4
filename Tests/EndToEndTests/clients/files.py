"""Directories of files that clients bring up and get back, compared byte by byte."""

import filecmp
import random
from pathlib import Path

# Above what any client here sends in one request: 5 MiB to 16 MiB, rclone's 200 MiB is set lower.
IN_PARTS_BYTES = 21_000_000
# Of a table.
ROWS = 400_000
SIZES = [
    ("empty", 0), ("small.txt", 3), ("ünï+cödé &.bin", 70_000), ("sub/a b/large.bin", 5_000_000),
    ("sub/in parts.bin", IN_PARTS_BYTES), ("sub/many/0", 1), ("sub/many/1", 1), ("sub/many/2", 1)]
ODD = ["per%cent%20", "a=b;c,d", "quo'te \"two\"", "star*[x]{y}", "~tilde!@$^()", "日本語/ファイル",
       "dots...", "-dash", "hash#tag?query"]


def write_tree(root: Path, sizes=SIZES, seed: int = 7) -> Path:
    """Files of these names and sizes, with the same random bytes each time."""
    generator = random.Random(seed)
    for name, size in sizes:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generator.randbytes(size))
    return root


def write_job(root: Path) -> Path:
    """What clients here are given: files of all sizes, odd names, and enough to be at it a while."""
    odd = [(f"odd/{name}", 100 + number) for number, name in enumerate(ODD)]
    many = [(f"many/{number:03}.bin", 2_000 * number) for number in range(60)]
    return write_tree(root, [*SIZES, *odd, *many])


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def assert_same(left: Path, right: Path) -> None:
    assert names(left) == names(right), names(left) ^ names(right)
    different = filecmp.cmpfiles(left, right, names(left), shallow=False)
    assert different[1:] == ([], []), different[1:]
