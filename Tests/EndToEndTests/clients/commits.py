"""Writers that commit to one table at once, while a node is killed; none of their commits may be lost."""

import concurrent.futures

import pyarrow

from keyed import KEY, SECRET

WRITERS, COMMITS = 4, 5


def options(store) -> dict[str, str]:
    return {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_region": "us-east-1",
            "aws_endpoint": store.url, "allow_http": "true", "aws_endpoint_url": store.url,
            "aws_allow_http": "true"}


def rows(writer: int, commit: int) -> pyarrow.Table:
    first = (writer * COMMITS + commit) * 100
    return pyarrow.table({"n": list(range(first, first + 100)), "writer": [writer] * 100})


def write_at_once(store, commit, after: int = 15) -> None:
    """All writers make all their commits; a node is killed on the way."""
    def write(writer):
        for number in range(COMMITS):
            commit(writer, number)
    with store.losing_a_node(after=after), concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))


ALL = list(range(WRITERS * COMMITS * 100))
