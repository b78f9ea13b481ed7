"""nginx as the guide configures it: its own block of text, with other ports and a certificate."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[4]
GUIDE = ROOT / "docs" / "how-to" / "deploy-the-gateway.md"
CERTIFICATE = ROOT / "tests" / "http" / "loopback.pem"
REQUIRED = "CONVOSTORE_REQUIRE_NGINX"
_SHOWN = re.compile(r"^```nginx\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ATTEMPTS = 5
"""Another program may take a free port before nginx does."""
_UNTIL_NOBODY_LISTENS = '"$0" -p "$1" -c nginx.conf -e stderr & read -r _; kill $!; wait'
"""It ends with whoever holds its standard input, even if that is killed."""


@dataclass(frozen=True)
class Nginx:
    """The addresses of an nginx before a gateway."""

    plain: str
    secure: str


@contextmanager
def before(gateway: str, folder: Path) -> Iterator[Nginx]:
    """Run nginx before a gateway; without an nginx, skip the test, or fail it where CI needs it."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        report = pytest.fail if os.environ.get(REQUIRED) else pytest.skip
        report("there is no nginx to test on: install it, as .ci/install-package does")
    for _ in range(_ATTEMPTS):
        plain, secure = _free_port(), _free_port()
        settings = _settings(urlsplit(gateway).netloc, plain, secure)
        (folder / "nginx.conf").write_text(settings, encoding="utf-8")
        process = subprocess.Popen(
            ["sh", "-c", _UNTIL_NOBODY_LISTENS, program, f"{folder}/"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        try:
            problem = _problem_at_start(process)
            if problem is None:
                yield Nginx(f"http://localhost:{plain}", f"https://localhost:{secure}")
                return
            assert "Address already in use" in problem
        finally:
            process.communicate(input="")
    pytest.fail("nginx found no free port")


def _problem_at_start(process: subprocess.Popen[str]) -> str | None:
    for line in process.stderr:
        if "emerg" in line:
            return line
        if "start worker process" in line:
            return None
    return "it ended without a word"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def _settings(gateway: str, plain: int, secure: int) -> str:
    """The guide's configuration, in a frame that needs no rights and no folder of the system."""
    (shown,) = _SHOWN.findall(GUIDE.read_text("utf-8"))
    for old, new in {
        "127.0.0.1:8000": gateway,
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        "/etc/letsencrypt/live/chat.example.org/fullchain.pem": str(CERTIFICATE),
        "/etc/letsencrypt/live/chat.example.org/privkey.pem": str(CERTIFICATE),
        "chat.example.org": "localhost",
    }.items():
        assert old in shown, f"the guide no longer says {old}"
        shown = shown.replace(old, new)
    places = "".join(
        f"{name}_temp_path {name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if hasattr(os, "getuid") and os.getuid() == 0 else ""
    head = f"{user}daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr notice;\n"
    return f"{head}events {{}}\nhttp {{\naccess_log off;\n{places}{shown}}}\n"
