"""What a service answers, and what it refuses, without a port."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from reidkit.errors import UserError
from reidkit.gallery.locking import held
from reidkit.service import Tokens, application
from reidkit.service.serving import refuse_open

from .conftest import TOKEN, picture


def enrol(client, *seeds, **fields):
    files = [picture(seed) for seed in seeds]
    data = {"identities": [f"person {seed}" for seed in seeds], **fields}
    return client.post("/enrol", files=files, data=data)


def test_people_are_enrolled_found_and_erased(client, gallery):
    reply = enrol(client, 1, 2, cameras=[0, 3], times=[1.5], source="form 7")
    assert (reply.status_code, reply.json()) == (200, {"images": 2, "people": 2})
    data = {"k": 1, "threshold": 0.1, "note": "a test"}
    files = [picture(2, (64, 32)), picture(9)]
    found = client.post("/search", files=files, data=data).json()
    first, second = found["answers"]
    assert first["identity"] == "person 2" and first["known"] and found["threshold"] == 0.1
    image = first["candidates"][0]["images"][0]
    assert (image["camera"], image["time"], image["source"]) == (3, 1.5, "form 7")
    assert second["identity"] == "unknown" and not second["known"]
    events = [line["event"] for line in gallery.log.lines()]
    assert [event["note"] for event in events] == ["door: a test"] * 2
    reply = client.post("/erase", json={"identities": ["person 2"]})
    assert reply.status_code == 200 and reply.json()["images"] == 1
    assert gallery.identities == ["person 1"]
    content = b"".join(p.read_bytes() for p in gallery.folder.rglob("*") if p.is_file())
    assert b"person 2" not in content and b"secret" not in content
    reply = client.post("/erase", json={"identities": ["person 2"]})
    assert (reply.status_code, reply.json()["detail"]) == (404, "not enrolled: 'person 2'")


def test_an_empty_gallery_answers_nobody(client):
    answers = client.post("/search", files=[picture(1)]).json()["answers"]
    assert answers == [{"identity": "unknown", "known": False, "candidates": []}]


def test_requests_of_nobody_and_of_web_pages_are_refused(client):
    for token in ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \udcff"):
        headers = {"Authorization": token.encode("utf-8", "surrogateescape")}
        for path in ("/search", "/metrics", "/no-such-path"):
            reply = client.post(path, headers=headers)
            assert reply.status_code == 401 and reply.headers["WWW-Authenticate"] == "Bearer"
    for headers in ({"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = client.post("/search", files=[picture(1)], headers=headers)
        assert reply.status_code == 403 and "web pages" in reply.json()["detail"]
        assert not any(name.startswith("access-control") for name in reply.headers)
    assert client.get("/health", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/health", headers={"Authorization": ""}).json()["status"] == "ok"


BAD = [
    (422, {"files": None}, "images: Field required"),
    (422, {"files": [("images", ("a", b"text"))]}, "image 0: it is no image; send a whole JPEG"),
    (422, {"files": [("images", ("a", b""))]}, "the file is empty"),
    (422, {"files": [("images", ("a", picture(1)[1][1][:60]))]}, "image 0"),
    (413, {"files": [picture(1, (300, 300))]}, "has 90,000 pixels"),
    (413, {"files": [picture(1)] * 5}, "5 images"),
    (413, {"files": [("images", ("a", bytes(200_001)))]}, "larger than 200,000 bytes"),
    (422, {"data": {"k": 0}}, "k: "),
    (422, {"data": {"k": "9" * 400}}, "k: "),
    (422, {"data": {"threshold": "nan"}}, "threshold: "),
    (422, {"data": {"fpir": 0.1}}, "not calibrated"),
    (422, {"data": {"fpir": 0.1, "threshold": 1}}, "not both"),
    (422, {"data": {"cameras": [1, 2]}}, "1 images need as many cameras"),
    (422, {"data": {"cameras": "-1"}}, "cameras.0: "),
    (422, {"data": {"note": "n" * 1001}}, "note: "),
]


def test_bad_input_is_answered_in_words(service):
    client = service(pixels=80_000, crops=4, body_bytes=200_000)
    for status, more, text in BAD:
        reply = client.post("/search", **{"files": [picture(1)], **more})
        assert reply.status_code == status and text in reply.json()["detail"], (more, reply.text)
    for name in ("", "unknown", "a\nb", "n" * 201):
        reply = client.post("/enrol", files=[picture(1)], data={"identities": [name]})
        assert reply.status_code == 422, name
    for body in (b"{", b"[" * 100_000, b"\xff", b"{}", b'{"identities": [NaN]}', b"1e999",
                 b'{"identities": ["\\ud800"]}', b'{"identities": []}'):  # fmt: skip
        reply = client.post("/erase", content=body, headers={"Content-Type": "application/json"})
        assert 400 <= reply.status_code < 500 and reply.json()["detail"], body
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "\xff"):
        for body in (
            b"--x\r\n",
            b'--x\r\nContent-Disposition: form-data; name="k"\r\n\r\n\xff\r\n--x--',
        ):
            headers = {"Content-Type": kind.encode("latin-1")}
            reply = client.post("/search", content=body, headers=headers)
            assert 400 <= reply.status_code < 500, (kind, body)
    assert client.get("/search").status_code == 405
    assert client.get("/../people").status_code == 404


def test_a_body_without_a_length_is_limited_too(service):
    client = service(body_bytes=1000)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = client.post("/search", content=(b"k" * 400 for _ in range(4)), headers=headers)
    assert reply.status_code == 413 and "larger than 1,000" in reply.json()["detail"]


def test_floods_are_refused_with_a_time_to_wait(service):
    client = service(rate="3/minute", failures="2/minute")
    statuses = [client.get("/metrics").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert 1 <= int(client.get("/metrics").headers["Retry-After"]) <= 61
    wrong = {"Authorization": "Bearer guess"}
    assert [client.get("/metrics", headers=wrong).status_code for _ in range(3)] == [401, 401, 429]


def test_callers_wait_for_each_other_and_too_many_are_refused(service, gallery):
    client = service(waiting=1)
    access = client.app.state.access
    with access.gallery():
        waiting = threading.Thread(target=client.get, args=("/metrics",))
        waiting.start()
        while access._places._value:
            pass
        assert client.get("/metrics").status_code == 429
    waiting.join()
    assert client.get("/metrics").status_code == 200


def test_another_writer_is_a_conflict(client, gallery, monkeypatch):
    monkeypatch.setattr("reidkit.gallery.writing.writer.__wrapped__.__defaults__", (0.0, None))
    with held(gallery.folder, 0.0, "nothing"):
        reply = enrol(client, 1)
    assert reply.status_code == 409 and reply.headers["Retry-After"] == "1"


def test_what_fails_in_the_service_is_not_the_callers_fault(gallery):
    app = application(gallery, Tokens())
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        enrol(client, 1)
        next(gallery.folder.glob("segments/*/paths.npy")).unlink()
        gallery.folder.joinpath("gallery.json").touch()
        reply = client.post("/search", files=[picture(1)])
        assert reply.status_code == 500 and str(gallery.folder) not in reply.text
        assert client.get("/health").status_code == 503


def test_metrics_count_without_names(client):
    enrol(client, 1, 2)
    client.post("/search", files=[picture(1), picture(2)])
    client.post("/search", headers={"Authorization": "Bearer guess"})
    client.get("/person 1")
    text = client.get("/metrics").text
    for line in (
        'reidkit_requests_total{method="POST",route="/search",status="200"} 1.0',
        'reidkit_requests_total{method="POST",route="other",status="401"} 1.0',
        'reidkit_requests_total{method="GET",route="other",status="404"} 1.0',
        'reidkit_crops_total{work="search"} 2.0',
        'reidkit_answers_total{known="true"} 2.0',
        "reidkit_gallery_people 2.0",
    ):
        assert line in text.splitlines()
    assert "person" not in text


def test_openapi_names_the_bearer_and_no_page_of_others_is_served(client):
    known = client.get("/openapi.json", headers={"Authorization": ""}).json()
    assert known["paths"]["/search"]["post"]["security"] == [{"HTTPBearer": []}]
    assert "422" in known["paths"]["/enrol"]["post"]["responses"]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_what_has_expired_is_erased_by_itself(gallery):
    moments = iter(np.arange(0, 1e6, 1000))
    gallery.clock = lambda: float(next(moments))
    client = TestClient(application(gallery, Tokens()), "http://localhost")
    assert enrol(client, 1, retention_days=0.01).status_code == 200
    with client:  # its start
        while list(gallery.folder.glob("segments/*")):
            pass
    assert json.loads(Path(gallery.folder, "gallery.json").read_text())["segments"] == []


def test_no_service_without_tokens_unless_told_so_and_local(tmp_path, monkeypatch):
    tokens = Tokens.parse(f"door {TOKEN}", "a test")
    monkeypatch.delenv("REIDKIT_TOKENS", raising=False)
    for host, known, without in (
        ("127.0.0.1", Tokens.find(None), False), ("0.0.0.0", Tokens(), True),
        ("localhost", tokens, True),
    ):  # fmt: skip
        with pytest.raises(UserError, match="tokens"):
            refuse_open(host, known, without)
    file = tmp_path / "tokens"
    for text in ("door short", "door", f"door {TOKEN}\ndoor {TOKEN}", "# none\n", "a b c"):
        file.write_text(text)
        with pytest.raises(UserError, match=r"tokens"):
            Tokens.find(file)
    monkeypatch.setenv("REIDKIT_TOKENS", f"a {TOKEN}a\nb {TOKEN}b")
    assert [Tokens.find(None).owner(f"bearer {TOKEN}{x}") for x in "abc"] == ["a", "b", None]
    assert TOKEN not in repr(Tokens.find(None))
