"""The application on a port, by uvicorn."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from reidkit.errors import UserError
from reidkit.service.tokens import ADVICE, VARIABLE, Tokens

KEEP_ALIVE = 10  # seconds that an idle connection stays open
CONNECTIONS = 1024
LAST = 30  # seconds for requests that are under way when the process is asked to end


def refuse_open(host: str, tokens: Tokens, without: bool) -> None:
    """Refuse to listen without tokens, unless told so and for this machine alone.

    Args:
        host: address to listen at.
        tokens: of the service.
        without: whether it was said explicitly that there are to be none.

    Raises:
        UserError: no tokens; or both tokens and the word that there are to be none.

    Example:
        >>> refuse_open("127.0.0.1", Tokens(), without=True)
        >>> refuse_open("0.0.0.0", Tokens(), without=True)
        Traceback (most recent call last):
        reidkit.errors.UserError: --no-tokens: only at an address of this machine alone, ...
    """
    if without and tokens:
        raise UserError(f"--no-tokens, and there are some ({VARIABLE} or --tokens); choose")
    if tokens:
        return
    if not without:
        raise UserError(
            f"a service needs tokens: --tokens FILE with lines of NAME TOKEN, or the same in the "
            f"environment variable {VARIABLE}; {ADVICE}. --no-tokens serves everybody on this "
            "machine"
        )
    if not is_local(host):
        raise UserError(
            f"--no-tokens: only at an address of this machine alone, such as 127.0.0.1, not {host}"
        )


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    Example:
        >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0"), is_local("localhost")
        (True, True, False, True)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until the process is interrupted; requests under way are answered then.

    Args:
        app: of ``application``.
        host: address to listen at.
        port: 0 for any that is free.
        certificate, key: PEM files, for TLS; without them what is sent can be read on its way.
        say: is given the address.

    Raises:
        UserError: the port is taken, the address is none of this machine, or a file is no
            certificate.
    """
    if (certificate is None) != (key is None):
        raise UserError("a certificate and its key come together")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{host} port {port}: {reason}; choose another --host or --port") from None
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none",
        timeout_keep_alive=KEEP_ALIVE, timeout_graceful_shutdown=LAST,
        limit_concurrency=CONNECTIONS, proxy_headers=False,
        ssl_certfile=certificate, ssl_keyfile=key,
    )  # fmt: skip
    with listening:
        try:
            config.load()
        except OSError as error:
            raise UserError(f"{certificate}: no certificate with {key} ({error})") from None
        shown = f"[{host}]" if ":" in host else host
        scheme = "https" if certificate else "http"
        say(f"{scheme}://{shown}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listening])
