"""Bytes to send: made from a seed, so that a failed run can be repeated and no test keeps its files."""

import hashlib
import random
from pathlib import Path

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

# Block of random bytes that big files repeat, each time stamped with its index: a block out of its
# place, doubled or missing changes the digest.
_BLOCK = random.Random(2).randbytes(MIB)


def seeded(size: int, seed: int | str = 0) -> bytes:
    """`size` bytes that depend on the seed and the size alone."""
    return random.Random(f"{seed}/{size}").randbytes(size)


def blocks(size: int, seed: int = 0):
    """The same `size` bytes for the same seed, in pieces of at most 1 MiB."""
    for index in range((size + MIB - 1) // MIB):
        block = (seed << 40 | index).to_bytes(16, "big") + _BLOCK[16:]
        yield block[: min(MIB, size - index * MIB)]


def write_file(path: Path, size: int, seed: int = 0) -> str:
    """Writes such bytes to a file and returns their SHA-256 in hex."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in blocks(size, seed):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
