"""The door in front of the page: who may come in. It passes bytes on to the page's own server, on loopback.

From this machine anybody may, by a loopback name, so that a foreign web page whose name is made to mean 127.0.0.1 gets
nothing. From elsewhere only with the token, which the address brings once and a cookie keeps. What another web page
asks for from inside a browser is refused, by the origin that browsers tell.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

logger = logging.getLogger(__name__)

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_HEAD_BYTES = 64 * 1024  # of a request's head
_HEAD_SECONDS = 10.0  # that it may take to arrive
_CHUNK = 64 * 1024
_START_SECONDS = 10.0
_COOKIE = "vjepa_mpc_dashboard"


@dataclass(frozen=True)
class Verdict:
    """Whether a request goes on; else what it is answered."""

    allowed: bool
    answer: bytes = b""


ALLOWED = Verdict(True)


@dataclass(frozen=True)
class Request:
    """The head of an HTTP request."""

    path: str
    headers: dict[str, str]

    @staticmethod
    def parse(head: bytes) -> Request:
        """From its bytes.

        Raises:
            ValueError: it is none.
        """
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/"):
            raise ValueError(f"{first[:80]!r} is no HTTP request")
        pairs = (line.partition(":") for line in lines if ":" in line)
        return Request(words[1], {name.strip().lower(): value.strip() for name, _, value in pairs})

    @property
    def host(self) -> str:
        """The name that the browser went to, without the port."""
        return urlsplit(f"//{self.headers.get('host', '')}").hostname or ""

    @property
    def given_token(self) -> str:
        """In the address."""
        return parse_qs(urlsplit(self.path).query).get("token", [""])[0]

    @property
    def kept_token(self) -> str:
        """In the cookie."""
        try:
            morsel = SimpleCookie(self.headers.get("cookie", "")).get(_COOKIE)
        except CookieError:
            return ""
        return "" if morsel is None else morsel.value


def judge(request: Request, peer: str, token: str) -> Verdict:
    """Whether a request may go on.

    Args:
        request: its head.
        peer: address of who asks.
        token: that others than this machine have to give; "" lets nobody else in.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return _refused(f"this page takes nothing from other pages ({origin})")
    if _is_loopback(peer) and request.host in LOOPBACK_NAMES:
        return ALLOWED
    if _same(request.given_token, token):
        return Verdict(False, _to_page(token))
    if _same(request.kept_token, token):
        return ALLOWED
    return _refused("the page needs its token: open the address that the dashboard printed when it started")


class Gate:
    """The listening side, with a thread of its own.

    Args:
        host: address or name to listen at.
        port: 0 for any.
        inside: address and port of the page's own server.
        token: see `judge`.
    """

    def __init__(self, host: str, port: int, inside: tuple[str, int], token: str) -> None:
        self._host, self._inside, self._token = host, inside, token
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate", daemon=True)

    def open(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had, as when another program has the port.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_START_SECONDS)
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """Listen no more, and end every connection."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_START_SECONDS)
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._on_connection, self._host, self.port, limit=_HEAD_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError):
            pass  # a browser that vanished, or something that is none
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_SECONDS)
        peer = writer.get_extra_info("peername")[0]
        verdict = judge(Request.parse(head), peer, self._token)
        if not verdict.allowed:
            writer.write(verdict.answer)
            await writer.drain()
            return
        inner_reader, inner_writer = await asyncio.open_connection(*self._inside)
        inner_writer.write(head)
        ways = [
            asyncio.ensure_future(_pass_on(reader, inner_writer)),
            asyncio.ensure_future(_pass_on(inner_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if not ways[1].done():  # the browser asks for no more; what it asked for may still come
                await asyncio.wait(ways[1:], timeout=_HEAD_SECONDS)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            inner_writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


def is_local(host: str) -> bool:
    """Whether what listens at a host can be reached from this machine only."""
    return host in LOOPBACK_NAMES or _is_loopback(host)


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _same(given: str, token: str) -> bool:
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def _refused(why: str) -> Verdict:
    body = f"Refused: {why}.\n".encode()
    return Verdict(False, _head("403 Forbidden", f"Content-Length: {len(body)}") + body)


def _to_page(token: str) -> bytes:
    """To the page, with a cookie that keeps the token, so that it stays in no address and no history."""
    cookie = f"{_COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
    return _head("303 See Other", "Location: /", f"Set-Cookie: {cookie}", "Content-Length: 0")


def _head(status: str, *lines: str) -> bytes:
    common = ("Content-Type: text/plain; charset=utf-8", "Cache-Control: no-store", "Connection: close")
    return "\r\n".join([f"HTTP/1.1 {status}", *common, *lines, "", ""]).encode("latin-1")
