from __future__ import annotations
import httpx
from .gateway_kit import served

def test_x():
    with served("memory://x1", viewer=False) as url:
        r = httpx.get(url + "/healthz"); print(r.text)
        assert r.status_code == 200
        assert httpx.get(url + "/v1/conversations").status_code == 404
