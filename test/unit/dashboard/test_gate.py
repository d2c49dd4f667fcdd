"""Who may come to the page: this machine, and others with the token; nobody by way of another web page."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from vjepa_mpc.dashboard.gate import ALLOWED, Gate, Request, is_local, judge

TOKEN = "a-long-enough-token"
LOCAL, REMOTE = "127.0.0.1", "192.168.1.7"
TIMEOUT = 20.0


def request(path: str = "/", **headers: str) -> Request:
    lines = [f"GET {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return Request.parse("\r\n".join([*lines, "", ""]).encode())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_comes_in_by_its_loopback_names(host: str, peer: str) -> None:
    assert judge(request(host=host), peer, "") == ALLOWED
    assert judge(request(host=host, origin=f"http://{host}"), peer, "") == ALLOWED


@pytest.mark.parametrize(
    ("peer", "asked"),
    [
        (REMOTE, request(host="robot:8080")),
        (REMOTE, request(host="localhost:8080")),  # anybody may claim that
        (REMOTE, request("/?token=wrong", host="robot:8080")),
        (REMOTE, request("/?token=", host="robot:8080")),
        (REMOTE, request(host="robot:8080", cookie="vjepa_mpc_dashboard=wrong")),
        (LOCAL, request(host="evil.example:8080")),  # a name that was made to mean 127.0.0.1
        (LOCAL, request(host="127.0.0.1:8080", origin="http://evil.example")),
        (REMOTE, request(host="robot:8080", origin="http://evil", cookie=f"vjepa_mpc_dashboard={TOKEN}")),
    ],
)
@pytest.mark.parametrize("token", ["", TOKEN])
def test_everybody_else_is_refused(peer: str, asked: Request, token: str) -> None:
    verdict = judge(asked, peer, token)
    assert not verdict.allowed
    assert verdict.answer.startswith(b"HTTP/1.1 403") and b"Refused: " in verdict.answer


def test_the_token_in_the_address_becomes_a_cookie_which_lets_in() -> None:
    answer = judge(request(f"/?token={TOKEN}", host="robot:8080"), REMOTE, TOKEN).answer.decode()
    assert answer.startswith("HTTP/1.1 303") and "Location: /\r\n" in answer
    (cookie,) = [line for line in answer.split("\r\n") if line.startswith("Set-Cookie: ")]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    kept = cookie.removeprefix("Set-Cookie: ").partition(";")[0]
    assert judge(request(host="robot:8080", cookie=f"other=1; {kept}"), REMOTE, TOKEN) == ALLOWED
    assert not judge(request(host="robot:8080", cookie=kept), REMOTE, "another-long-token").allowed


def test_what_only_this_machine_reaches_is_told_apart() -> None:
    assert all(map(is_local, ("127.0.0.1", "localhost", "::1", "127.3.2.1")))
    assert not any(map(is_local, ("0.0.0.0", "::", "192.168.1.7", "robot")))


@pytest.fixture
def inside() -> Iterator[tuple[str, int]]:
    """A server that answers each line with the same in capitals."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(line.upper())

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()
    listening.close()


def test_bytes_go_both_ways_and_browsers_that_vanish_do_no_harm(inside: tuple[str, int]) -> None:
    gate = Gate("127.0.0.1", 0, inside, "")
    gate.open()
    for words in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nhost: loc", b""):
        with socket.create_connection(("127.0.0.1", gate.port), TIMEOUT) as vanishing:
            vanishing.sendall(words)
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", gate.port), TIMEOUT) as browser:
            browser.sendall(b"GET /a HTTP/1.1\r\nhost: localhost\r\n\r\nmore\r\n")
            answer = b""
            while b"MORE" not in answer:
                answer += browser.recv(1000)
            assert answer.startswith(b"GET /A HTTP/1.1\r\nHOST: LOCALHOST\r\n\r\n")
    with socket.create_connection(("127.0.0.1", gate.port), TIMEOUT) as foreign:
        foreign.sendall(b"GET / HTTP/1.1\r\nhost: evil.example\r\n\r\n")
        assert foreign.recv(1000).startswith(b"HTTP/1.1 403")
    gate.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", gate.port), 1.0)


def test_a_port_that_is_taken_is_an_error(inside: tuple[str, int]) -> None:
    with pytest.raises(OSError):
        Gate("127.0.0.1", inside[1], inside, "").open()
