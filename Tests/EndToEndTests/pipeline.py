"""Many small requests, fast: each connection keeps a window of pipelined requests in flight."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Pipeline(asyncio.Protocol):
    """Takes requests from a shared iterator and counts the answers by their status."""

    requests: object
    done: asyncio.Future
    counts: dict[bytes, int] = field(default_factory=dict)
    window: int = 16
    outstanding: int = 0
    rest: bytes = b""

    def connection_made(self, transport):
        self.transport = transport
        self._send(self.window)

    def _send(self, count: int) -> None:
        batch = []
        for _ in range(count):
            request = next(self.requests, None)
            if request is None:
                break
            batch.append(request)
        if batch:
            self.outstanding += len(batch)
            self.transport.write(b"".join(batch))
        elif self.outstanding == 0 and not self.done.done():
            self.done.set_result(None)
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        pieces = (self.rest + data).split(b"\r\n\r\n")
        self.rest = pieces.pop()
        for piece in pieces:  # answers without a body: each head ends one
            code = piece[9:12]
            self.counts[code] = self.counts.get(code, 0) + 1
        self.outstanding -= len(pieces)
        if pieces:
            self._send(len(pieces))

    def connection_lost(self, error) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError(
                f"closed with {self.outstanding} outstanding, {self.counts}, {self.rest[:200]!r}"))


async def _run(place, requests, connections: int) -> dict[bytes, int]:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            lambda: Pipeline(requests, loop.create_future()), place.host, place.port)
        made.append(protocol)
    await asyncio.gather(*(protocol.done for protocol in made))
    total: dict[bytes, int] = {}
    for protocol in made:
        for code, count in protocol.counts.items():
            total[code] = total.get(code, 0) + count
    return total


def run(place, requests, connections: int = 64) -> dict[bytes, int]:
    """Sends all requests (bytes, whose answers have no body); how many answers had which status."""
    return asyncio.run(_run(place, iter(requests), connections))
