"""What the web app answers, and to whom."""

from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="needs the extra app")

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cover.apps.guard import Guard


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


def app(uploads: Path, *hosts: str, most: int = 1000) -> TestClient:
    routes = [Route("/", _answer), Route("/gradio_api/upload", _answer, methods=["POST"])]
    guarded = Starlette(routes=routes, middleware=[Middleware(Guard, hosts=hosts, uploads=uploads, most=most)])
    return TestClient(guarded, base_url="http://localhost")


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "192.168.0.3", "[::1]:7860", "vqa.example.org"])
def test_names_of_the_app_are_answered(tmp_path: Path, host: str) -> None:
    assert app(tmp_path, "VQA.example.org").get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:7860", "", "127.0.0.1.evil.example", "[evil"])
def test_other_names_are_refused(tmp_path: Path, host: str) -> None:
    refused = app(tmp_path).get("/", headers={"host": host})
    assert refused.status_code == 400
    assert f"hosts={host.partition(':')[0].strip('[')}" in refused.text


@pytest.mark.parametrize(
    ("origin", "code"),
    [("http://localhost:7860", 200), (None, 200), ("https://evil.example", 403), ("null", 403), ("https://[x", 403)],
)
def test_pages_elsewhere_may_not_upload(tmp_path: Path, origin: str | None, code: int) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert app(tmp_path).post("/gradio_api/upload", content=b"x", headers=headers).status_code == code


def test_a_space_is_reached_by_any_name(tmp_path: Path) -> None:
    assert app(tmp_path, "*").get("/", headers={"host": "someone-cover.hf.space"}).status_code == 200


def test_the_sum_of_uploads_is_limited(tmp_path: Path) -> None:
    client = app(tmp_path)
    assert client.post("/gradio_api/upload", content=bytes(900)).text == "900"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.mp4").write_bytes(bytes(200))
    refused = client.post("/gradio_api/upload", content=bytes(900))
    assert refused.status_code == 413
    assert "Too many uploads" in refused.text
    assert client.post("/gradio_api/upload", content=bytes(700)).status_code == 200


def test_an_upload_of_unknown_length_is_refused(tmp_path: Path) -> None:
    pieces = (bytes(10) for _ in range(3))
    assert app(tmp_path).post("/gradio_api/upload", content=pieces).status_code == 411
