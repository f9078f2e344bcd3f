"""A web server for one person on this machine.

It listens on 127.0.0.1 alone, answers only who has the token of its address, and only under the
host name that it was opened by: another page in the same browser can neither read nor change
anything (DNS rebinding and cross-site requests are refused).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from reidkit.data.decode import decode_rgb
from reidkit.errors import UserError
from reidkit.report.live.catalogue import PAGE, Catalogue
from reidkit.report.page import environment

MOST_BYTES = 20 << 20  # of a picture that is searched for
POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; script-src '{script}'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Server(ThreadingHTTPServer):
    """Serves a catalogue.

    Args:
        catalogue: what is shown.
        port: 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, catalogue: Catalogue, port: int = 0):
        super().__init__(("127.0.0.1", port), Handler)
        self.catalogue = catalogue
        self.token = secrets.token_urlsafe(24)

    @property
    def address(self) -> str:
        """What to open in the browser."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"


class Handler(BaseHTTPRequestHandler):
    """Answers of the server; every path begins with its token."""

    server: Server
    server_version, sys_version = "reidkit", ""

    def do_GET(self) -> None:
        """Pages and crops."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Corrections and searches by picture."""
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses hold the token."""

    def _answer(self, work: Callable[[str, dict[str, str]], None]) -> None:
        place = urlsplit(self.path)
        token, _, rest = place.path.lstrip("/").partition("/")
        if self.headers.get("Host") != f"127.0.0.1:{self.server.server_port}":
            return self._send("open the address that was printed", HTTPStatus.FORBIDDEN)
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            return self._send("open the address that was printed", HTTPStatus.FORBIDDEN)
        fields = {key: values[-1] for key, values in parse_qs(place.query).items()}
        try:
            work(rest, fields)
        except (UserError, ValueError) as error:
            self._page("error.html", HTTPStatus.BAD_REQUEST, message=str(error))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the browser has gone on

    def _get(self, path: str, fields: dict[str, str]) -> None:
        catalogue = self.server.catalogue
        if path.startswith("crop/"):
            return self._send(catalogue.jpeg(int(path[5:])), kind="image/jpeg")
        if path == "like":
            number = int(fields.get("number", ""))
            entries = catalogue.like(number)
            return self._page("browse.html", entries=entries, total=len(entries), query=number)
        if path:
            return self._send("no such page", HTTPStatus.NOT_FOUND)
        start = max(0, int(fields.get("start") or 0))
        split, kind, who = (fields.get(name, "") for name in ("split", "kind", "identity"))
        camera = int(fields["camera"]) if fields.get("camera") else None
        identity = catalogue.identity(who) if who else None
        entries, total = catalogue.page(split, identity, camera, kind, start)
        chosen = dict(split=split, kind=kind, identity=who, camera=camera)
        self._page("browse.html", entries=entries, total=total, start=start, chosen=chosen)

    def _post(self, path: str, _: dict[str, str]) -> None:
        if self.headers.get("Origin") != self.server.address[: -len(self.server.token) - 2]:
            return self._send("not from this page", HTTPStatus.FORBIDDEN)
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= MOST_BYTES:
            raise UserError(f"at most {MOST_BYTES:,} bytes can be sent")
        body, catalogue = self.rfile.read(size), self.server.catalogue
        if path == "picture":
            entries = catalogue.like_picture(decode_rgb(body, "the picture"))
            return self._page("tiles.html", entries=entries)
        form = {key: values[-1] for key, values in parse_qs(body.decode()).items()}
        if path == "relabel":
            catalogue.relabel(int(form["number"]), int(form["identity"]))
        elif path == "merge":
            catalogue.merge(int(form["identity"]), int(form["into"]))
        elif path == "undo":
            catalogue.undo()
        else:
            return self._send("no such page", HTTPStatus.NOT_FOUND)
        self.send_response(HTTPStatus.SEE_OTHER)
        back = urlsplit(form.get("back", ""))
        query = f"?{back.query}" if back.query else ""
        page = "like" if back.path.endswith("/like") else ""
        self.send_header("Location", f"/{self.server.token}/{page}{query}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _page(self, name: str, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> None:
        known = dict(
            facts=self.server.catalogue.facts(), base=f"/{self.server.token}/", size=PAGE, start=0,
            chosen=dict(split="", kind="", identity="", camera=None), query=None, here=self.path,
        )  # fmt: skip
        self._send(environment().get_template(name).render({**known, **values}), status)

    def _send(
        self,
        content: str | bytes,
        status: HTTPStatus = HTTPStatus.OK,
        kind: str = "text/html; charset=utf-8",
    ) -> None:
        data = content if isinstance(content, bytes) else content.encode("utf-8", "replace")
        self.send_response(status)
        script = environment().globals["browse_hash"]
        for header, value in (
            ("Content-Type", kind), ("Content-Length", str(len(data))),
            ("Content-Security-Policy", POLICY.format(script=script)),
            ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"),
            ("Cache-Control", "no-store"), ("Cross-Origin-Resource-Policy", "same-origin"),
        ):  # fmt: skip
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(data)


def serve(catalogue: Catalogue, port: int = 0, say: Callable[[str], None] = print) -> None:
    """Serve until the process is interrupted.

    Args:
        catalogue: what is shown.
        port: 0 for any that is free.
        say: is given the address to open.

    Raises:
        UserError: the port is taken.
    """
    try:
        server = Server(catalogue, port)
    except OSError as error:
        raise UserError(f"port {port}: {error.strerror}; leave --port out for a free one") from None
    with server:
        say(server.address)
        server.serve_forever()
