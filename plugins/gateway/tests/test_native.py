from __future__ import annotations

import httpx

from .gateway_kit import served


def test_x():
    with served("echo://x1", viewer=False) as url:
        c = httpx.Client(base_url=url)
        with c:
            def show(r): print(r.request.method, r.request.url.path, r.status_code, dict(r.headers), r.text[:300])
            show(c.get("/v1")); show(c.get("/v1/openapi.json"))
            show(c.post("/v1/conversations", json={"id":"a/b","title":"Tä \ud800"} ) if 0 else c.post("/v1/conversations", json={"id":"a/b","title":"Tä"}))
            show(c.get("/v1/conversations/a%2Fb"))
            show(c.post("/v1/conversations/a%2Fb/messages", json={"messages":[{"role":"user","parts":[{"kind":"text","text":"hi"}]}]}))
            r=c.get("/v1/conversations/a%2Fb/messages"); show(r)
            show(c.get("/v1/conversations/a%2Fb/messages", headers={"if-none-match":"W/"+r.headers["etag"]}))
            show(c.get("/v1/conversations")); show(c.head("/v1/conversations"))
            show(c.get("/v1/conversations/a%2Fb/export?format=html")); show(c.get("/v1/export"))
            show(c.post("/v1/replies", json={"content":"hello"}))
            show(c.post("/v1/replies", json={"content":"think of it"}, headers={"accept":"text/event-stream"}))
            show(c.post("/v1/replies", json={"content":"fail of it"}, headers={"accept":"text/event-stream"}))
            show(c.get("/v1/search?q=hello"))
            for r in [c.get("/v1/nope"), c.put("/v1/conversations"), c.get("/v1/conversations?limt=1"), c.get("/v1/conversations?limit=0"), c.get("/v1/conversations/%FF"), c.get("/v1/conversations/zzz"), c.post("/v1/conversations", content=b"{"), c.post("/v1/conversations", json={"titel":1}), c.get("/v1/conversations/x/suggested-questions")]: show(r)
    assert 0
