"""A small HTTP client for the load generator: one kept connection, no more work than a request needs.

It must be cheaper than what it measures; the clients people use cost more than the cloud does.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType

from attrs import frozen

SECONDS = 120.0


@frozen
class Answer:
    """Status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One connection to one port of the cloud; for ``async with``."""

    def __init__(self, host: str, port: int) -> None:
        """Connects when entered."""
        self._host = host
        self._port = port

    async def __aenter__(self) -> "Connection":
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        """Close."""
        self._writer.close()
        await self._writer.wait_closed()

    async def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send one request and wait for the whole answer; raises ``TimeoutError`` when it does not come."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}:{self._port}", f"Content-Length: {len(body)}",
                 *(f"{name}: {value}" for name, value in (headers or {}).items()), "", ""]
        self._writer.write("\r\n".join(lines).encode() + body)
        return await asyncio.wait_for(self._answer(), SECONDS)

    async def _answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        else:
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(head[0].split(" ")[1]), headers, body)

    async def _chunks(self) -> bytes:
        parts = []
        while size := int(await self._reader.readline(), 16):
            parts.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(parts)
