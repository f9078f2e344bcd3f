"""A service under mixed load: what is right, what is wrong, and what nobody should send.

Each client enrols people of its own, searches for them, erases them, and sends bad input between.
A person's picture is sent again as it was, so the answer is known.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

TIMEOUT = 120.0  # seconds for a reply
PEOPLE = 10  # enrolled by a client at a time
CLOSED = "closed"  # in place of a status: the connection ended without one


@dataclass
class Load:
    """What came back.

    Attributes:
        counts: by action and status.
        seconds: of each reply, by action.
        problems: replies that should have been others, in words.
    """

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, other: Load) -> None:
        """Take over what another client saw."""
        self.counts += other.counts
        for action, times in other.seconds.items():
            self.seconds.setdefault(action, []).extend(times)
        self.problems += other.problems


def run_load(host: str, port: int, token: str, seconds: float, clients: int, seed: int) -> Load:
    """Send requests from several threads at once.

    Args:
        host, port: of a service.
        token: that it knows.
        seconds: how long, > 0; requests under way are waited for.
        clients: threads, each with a connection, >= 1.
        seed: of what is sent.
    """
    end = time.monotonic() + seconds
    crowd = [Client(host, port, token, f"client-{n}", seed * 1000 + n) for n in range(clients)]
    threads = [threading.Thread(target=one.work, args=(end,), daemon=True) for one in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Load()
    for one in crowd:
        whole.add(one.load)
    return whole


class Client:
    """One caller, who knows what must be answered.

    Args:
        host, port, token: of the service.
        name: with which the names of its people begin.
        seed: of its choices.
    """

    def __init__(self, host: str, port: int, token: str, name: str, seed: int):
        self.place, self.token, self.name = (host, port), token, name
        self.rng = np.random.default_rng(seed)
        self.people: dict[str, bytes] = {}
        self.number = 0
        self.load = Load()
        self._connection: http.client.HTTPConnection | None = None

    def work(self, end: float) -> None:
        """Act until a moment of the monotonic clock, then erase whoever is left."""
        good: list[Callable[[], None]] = [self.enrol, self.search, self.search, self.erase]
        while time.monotonic() < end:
            if self.rng.random() < 0.5:
                good[self.rng.integers(len(good))]()
            else:
                names = list(BAD)
                self.bad(names[self.rng.integers(len(names))])
        while self.people:
            self.erase()

    def enrol(self) -> None:
        """A new person; somebody is erased instead where there are enough."""
        if len(self.people) >= PEOPLE:
            return self.erase()
        self.number += 1
        name, image = f"{self.name}-{self.number}", picture(self.rng)
        body, kind = multipart([("identities", name.encode())], [image])
        status, _ = self.send("enrol", "POST", "/enrol", body, kind)
        if status == "200":
            self.people[name] = image
        elif status not in ("429", CLOSED):
            self.load.problems.append(f"enrol: {status}")

    def search(self) -> None:
        """Somebody who is there must be the nearest."""
        if not self.people:
            return self.enrol()
        name = list(self.people)[self.rng.integers(len(self.people))]
        body, kind = multipart([("k", b"1"), ("note", b"load")], [self.people[name]])
        status, reply = self.send("search", "POST", "/search", body, kind)
        if status == "200":
            nearest = reply["answers"][0]["candidates"][0]["identity"]
            if nearest != name:
                self.load.problems.append(f"search: {name} was answered as {nearest}")
        elif status not in ("429", CLOSED):
            self.load.problems.append(f"search: {status}")

    def erase(self) -> None:
        """The person who is there longest."""
        if not self.people:
            return self.enrol()
        name = next(iter(self.people))
        body = json.dumps({"identities": [name]}).encode()
        status, _ = self.send("erase", "POST", "/erase", body, "application/json")
        if status == "200":
            del self.people[name]
        elif status not in ("429", CLOSED):
            self.load.problems.append(f"erase: {status}")
            del self.people[name]

    def bad(self, name: str) -> None:
        """Bad input: 4xx, or the connection is closed."""
        method, path, body, kind, headers = BAD[name](self.rng)
        action = f"bad: {name}"
        if path == "":  # not even HTTP
            status = raw(self.place, body)
            self.load.counts[action, status] += 1
        else:
            status, _ = self.send(action, method, path, body, kind, headers)
        if not (status.startswith("4") or status == CLOSED):
            self.load.problems.append(f"{action}: {status}")

    def send(
        self, action: str, method: str, path: str, body: bytes, kind: str,
        headers: dict[str, str] | None = None,
    ) -> tuple[str, dict]:  # fmt: skip
        """One request; its status, and the reply if that is 200."""
        fields = {"Content-Type": kind, "Authorization": f"Bearer {self.token}", **(headers or {})}
        start, status, content = time.monotonic(), CLOSED, b""
        for attempt in range(2):
            fresh = self._connection is None
            if self._connection is None:
                self._connection = http.client.HTTPConnection(*self.place, timeout=TIMEOUT)
            try:
                self._connection.request(method, path, body, fields)
                reply = self._connection.getresponse()
                status, content = str(reply.status), reply.read()
                break
            except (OSError, http.client.HTTPException):
                self._connection.close()
                self._connection = None
                if fresh or attempt:  # an idle connection may have been closed: once more
                    break
        self.load.counts[action, status] += 1
        self.load.seconds.setdefault(action, []).append(time.monotonic() - start)
        return status, json.loads(content) if status == "200" and content else {}


def picture(rng: np.random.Generator) -> bytes:
    """A PNG of blocks of random colours."""
    blocks = rng.integers(0, 256, (8, 4, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(blocks).resize((32, 64), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def multipart(fields: list[tuple[str, bytes]], images: list[bytes]) -> tuple[bytes, str]:
    """A form with images: its bytes and their type."""
    mark = b"----a7f3c1"
    parts = [
        b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name.encode(), value)
        for name, value in fields
    ] + [
        b'Content-Disposition: form-data; name="images"; filename="a"\r\n\r\n' + image
        for image in images
    ]
    body = b"".join(b"--%s\r\n%s\r\n" % (mark, part) for part in parts) + b"--%s--\r\n" % mark
    return body, f"multipart/form-data; boundary={mark.decode()}"


def bomb() -> bytes:
    """A PNG of some bytes that claims 40,000 x 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def raw(place: tuple[str, int], data: bytes) -> str:
    """Send bytes and hang up half of the connection; the status of what comes back."""
    try:
        with socket.create_connection(place, TIMEOUT) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            head = connection.recv(64)
    except OSError:
        return CLOSED
    return head[9:12].decode("ascii", "replace") if head.startswith(b"HTTP/1") else CLOSED


JSON = "application/json"
Bad = tuple[str, str, bytes, str, dict[str, str]]


def _form(fields: list[tuple[str, bytes]], images: list[bytes], path: str = "/search") -> Bad:
    return "POST", path, *multipart(fields, images), {}


def _headers(rng: np.random.Generator, **headers: str) -> Bad:
    return (*_form([], [picture(rng)])[:4], headers)


def _erase(body: bytes) -> Bad:
    return "POST", "/erase", body, JSON, {}


BAD: dict[str, Callable[[np.random.Generator], Bad]] = {
    "no token": lambda rng: _headers(rng, Authorization=""),
    "another token": lambda rng: _headers(rng, Authorization="Bearer 0123456789"),
    "a foreign page": lambda rng: _headers(rng, Origin="https://example.org"),
    "a foreign host": lambda rng: _headers(rng, Host="example.org"),
    "no image": lambda rng: _form([], [rng.bytes(300)]),
    "an empty image": lambda rng: _form([], [b""]),
    "half an image": lambda rng: _form([], [picture(rng)[: rng.integers(1, 200)]]),
    "a bomb": lambda rng: _form([], [bomb()]),
    "too many images": lambda rng: _form([], [picture(rng)] * 65),
    "too many bytes": lambda rng: _form([], [bytes(33 << 20)]),
    "no images": lambda rng: _form([("k", b"3")], []),
    "k of 0": lambda rng: _form([("k", b"0")], [picture(rng)]),
    "k of 400 digits": lambda rng: _form([("k", b"9" * 400)], [picture(rng)]),
    "NaN": lambda rng: _form([("threshold", b"nan")], [picture(rng)]),
    "no calibration": lambda rng: _form([("fpir", b"0.1")], [picture(rng)]),
    "cameras of others": lambda rng: _form([("cameras", b"1")] * 3, [picture(rng)]),
    "a name of nobody": lambda rng: _form([("identities", b"unknown")], [picture(rng)], "/enrol"),
    "bytes for a name": lambda rng: _form([("identities", b"\x00\xff")], [picture(rng)], "/enrol"),
    "an unknown person": lambda rng: _erase(b'{"identities": ["nobody at all"]}'),
    "half a JSON": lambda rng: _erase(b'{"identities": ["a"'),
    "a deep JSON": lambda rng: _erase(b"[" * 50_000),
    "half a character": lambda rng: _erase(b'{"identities": ["\\ud800"]}'),
    "another form": lambda rng: ("POST", "/search", rng.bytes(200), "multipart/form-data", {}),
    "half a form": lambda rng: ("POST", "/search", *_cut(rng), {}),
    "no path": lambda rng: ("GET", "/" + rng.bytes(8).hex(), b"", JSON, {}),
    "another method": lambda rng: ("PUT", "/search", b"", JSON, {}),
    "no HTTP": lambda rng: ("", "", rng.bytes(300), "", {}),
    "a body that ends early": lambda rng: ("", "", _early(rng), "", {}),
}


def _cut(rng: np.random.Generator) -> tuple[bytes, str]:
    body, kind = multipart([], [picture(rng)])
    return body[: rng.integers(1, len(body) - 20)], kind


def _early(rng: np.random.Generator) -> bytes:
    head = b"POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000\r\n\r\n"
    return head + rng.bytes(100)
