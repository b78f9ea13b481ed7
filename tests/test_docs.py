"""The documents: their code runs, shows what they say it shows, and is the example's own."""

import contextlib
import importlib.util
import io
import json
import logging
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from generator.decisions import STATUS

import convostore
from convostore import ConversationStore, errors
from convostore.errors import UnavailableError
from convostore.http import Exchange, Request, Response
from convostore.testing.loopback import replay, serve
from convostore_gateway import create_app
from convostore_gateway.server.run import running

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
API = DOCS / "reference" / "api"
EXAMPLE = DOCS / "examples" / "convostore-notes"
PERPLEXICA = ROOT / "plugins" / "perplexica" / "tests" / "cassettes" / "next-1.12.1"
FASTGPT = ROOT / "plugins" / "fastgpt" / "tests" / "cassettes" / "v4.16.0"
WITH_A_KEY = {
    "history_getHistories": [0],
    "history_status_and_read": [0],
    "history_updateHistory": [0],
    "history_delete": [1, 10],
    "record_getPaginationRecords": [0],
    "record_getResData": [0],
    "record_delete": [1],
    "feedback_updateUserFeedback": [8],
    "createQuestionGuide_v2": [0],
    "v1_completions_stream-false_detail-false": [0],
    "v1_completions_stream-true_detail-false": [0],
}
"""By case, the exchanges that a page's store with a key meets."""
WITH_A_LINK = {"share_outlink": [1, 6, 7]}
"""The same with a share link: the old spelling is refused, the new one answered."""
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
RUN = [
    ROOT / "README.md",
    DOCS / "explanation" / "durability-and-concurrency.md",
    DOCS / "tutorial" / "first-steps.md",
    DOCS / "how-to" / "answer-an-interaction.md",
    DOCS / "how-to" / "answer-with-a-model.md",
    DOCS / "how-to" / "bring-your-own-history.md",
    DOCS / "how-to" / "edit-messages.md",
    DOCS / "how-to" / "export-and-import.md",
    DOCS / "how-to" / "fastgpt.md",
    DOCS / "how-to" / "perplexica.md",
    DOCS / "how-to" / "keep-many-users-apart.md",
    DOCS / "how-to" / "mirror.md",
    DOCS / "how-to" / "recover-from-a-lost-connection.md",
    DOCS / "how-to" / "search.md",
    DOCS / "how-to" / "serve-a-store.md",
    DOCS / "how-to" / "stream-into-a-web-app.md",
    DOCS / "how-to" / "test-your-app.md",
    DOCS / "how-to" / "trace-and-log.md",
    DOCS / "how-to" / "write-an-adapter.md",
    DOCS / "reference" / "contract-kit.md",
    DOCS / "reference" / "errors.md",
]
ADDRESS = re.compile(r"http://localhost:300[01]")
"""Where the pages have their services: Perplexica and FastGPT both listen on 3000 by themselves."""
SERVE = re.compile(r"^\$ convostore serve (?P<target>\S+) --port (?P<port>\d+)$", re.MULTILINE)
FENCE = re.compile(
    r"^(?:<!-- (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass
class Block:
    """A fenced block; `file` is the one that a comment above says it is of."""

    language: str
    text: str
    file: str | None
    line: int


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["text"], found["file"], text.count("\n", 0, found.start(2)))
        for found in FENCE.finditer(text)
    ]


def run_blocks(page: Path, service: str) -> dict[str, Any]:
    """Runs a page's Python in one namespace; a text block next to one is what that prints.

    What the page serves with `convostore serve` is served while it runs, on a free port.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.ExitStack() as servers:
        try:
            _run_blocks(page, service, namespace, servers)
        finally:  # a page that fails half-way has not come to closing what it opened
            for value in namespace.values():
                if isinstance(value, contextlib.ExitStack | ConversationStore):
                    value.close()
    return namespace


def _run_blocks(
    page: Path, service: str, namespace: dict[str, Any], servers: contextlib.ExitStack
) -> None:
    served: dict[str, str] = {}
    found = [block for block in blocks(page) if block.file is None]
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language == "console":
            for command in SERVE.finditer(block.text):
                url = servers.enter_context(a_gateway(command["target"]))
                served[f"http://localhost:{command['port']}"] = url
        if block.language != "python":
            continue
        code = ADDRESS.sub(service, block.text)
        for shown, url in served.items():
            code = code.replace(shown, url)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * block.line + code, str(page), "exec"), namespace)
        if following is not None and following.language == "text":
            output = printed.getvalue()
            for shown, url in served.items():
                output = output.replace(url, shown)
            assert output == following.text, f"{name_of(page)}:{following.line}"


@contextlib.contextmanager
def a_gateway(target: str) -> Iterator[str]:
    """Serves a store as `convostore serve` does, and gives the URL."""
    store = convostore.aopen(target)
    with running(create_app(store, open_access=True), stores=[store]) as url:
        yield url


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def cassette(folder: Path, case: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load((folder / f"{case}.yaml").read_text("utf-8"), loader)  # it is safe


def recorded(folder: Path, cases: Mapping[str, Iterable[int]]) -> Iterator[dict[str, Any]]:
    """What a real program answered: of each case the exchanges at these places."""
    for case, places in cases.items():
        exchanges = cassette(folder, case)["interactions"]
        yield {"interactions": [exchanges[place] for place in places]}


@pytest.fixture
def service() -> Iterator[str]:
    """The address of a server that replays what real ones answered, a Perplexica and a FastGPT."""
    read = ["list_made_by_program", *(file.stem for file in PERPLEXICA.glob("get_prog_*.yaml"))]
    chats = [cassette(PERPLEXICA, case) for case in read]
    usual = replay([*chats, *recorded(FASTGPT, WITH_A_KEY)])
    shared = replay(recorded(FASTGPT, WITH_A_LINK))

    def answer(request: Request) -> Response:
        return (shared if "shareId" in json.dumps(request.json) else usual)(request)

    server = serve(answer)
    with server as url:
        yield url
    assert server.errors == [], "a page asks for what was not recorded"


@pytest.fixture(autouse=True)
def as_a_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """At the top of a clone with a key in the environment, as the documents say.

    What a page sets up for logging is undone.
    """
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CONVOSTORE_FASTGPT_API_KEY", "fastgpt-not-a-real-key")
    logger = logging.getLogger("convostore.http")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.mark.rim
@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(
    page: Path, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks(page, service)


def test_every_class_of_error_has_an_example() -> None:
    page = blocks(DOCS / "reference" / "errors.md")
    printed = "".join(block.text for block in page if block.language == "text")
    classes = [name for name in errors.__all__ if name.endswith("Error") and name != "StoreError"]
    assert [name for name in classes if f"\n{name}: " not in f"\n{printed}"] == []


def test_every_page_with_code_of_its_own_is_run() -> None:
    with_code = {
        page
        for page in PAGES
        if API not in page.parents  # signatures are not run
        and any(block.language == "python" and block.file is None for block in blocks(page))
    }
    assert with_code - {EXAMPLE / "README.md"} == set(RUN)


@pytest.mark.rim
def test_the_tracing_example_records_answers_and_failures(service: str) -> None:
    record = run_blocks(DOCS / "how-to" / "trace-and-log.md", service)["spans"]
    tracer = Tracer()
    record(tracer)(Exchange(method="GET", path="/x", status=200, seconds=0.5, size=7))
    lost = UnavailableError("no answer")
    record(tracer)(Exchange(method="GET", path="/x", status=None, seconds=0.5, size=0, error=lost))
    answered, failed = tracer.spans
    assert answered.attributes["http.response.status_code"] == 200
    assert answered.end_time - answered.start_time == 500_000_000
    assert "error.type" not in answered.attributes
    assert failed.attributes["error.type"] == "UnavailableError"
    assert "http.response.status_code" not in failed.attributes


class Span:
    def __init__(self, start_time: int, attributes: dict[str, object]) -> None:
        self.start_time = start_time
        self.attributes = attributes
        self.end_time = 0

    def set_attribute(self, name: str, value: object) -> None:
        self.attributes[name] = value

    def end(self, end_time: int) -> None:
        self.end_time = end_time


class Tracer:
    """What OpenTelemetry's tracer does, as far as the example uses it."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def start_span(self, name: str, *, start_time: int, attributes: dict[str, object]) -> Span:
        assert name
        self.spans.append(Span(start_time, attributes))
        return self.spans[-1]


def test_a_block_that_names_a_file_is_of_that_file() -> None:
    quoted = [
        (name_of(page), block, block.file)
        for page in PAGES
        for block in blocks(page)
        if block.file is not None
    ]
    assert quoted
    elsewhere = [
        f"{page}:{block.line}"
        for page, block, file in quoted
        if not is_part_of(block.text, (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert elsewhere == []


def is_part_of(code: str, whole: str) -> bool:
    wanted, lines = said(code), said(whole)
    windows = ("\n".join(lines[start : start + len(wanted)]) for start in range(len(lines)))
    return wanted in map(said, windows)


def said(code: str) -> list[str]:
    """The lines of some code, wherever it is indented and however it is spaced out."""
    return [line for line in textwrap.dedent(code).splitlines() if line]


@pytest.mark.parametrize(
    "file",
    [
        "pyproject.toml",
        "src/convostore_notes/__init__.py",
        "src/convostore_notes/adapter.py",
    ],
)
def test_the_guides_show_the_whole_file(file: str) -> None:
    guides = [DOCS / "how-to" / "write-an-adapter.md", DOCS / "how-to" / "write-a-dialect.md"]
    shown = {
        line.strip()
        for guide in guides
        for block in blocks(guide)
        if block.file == name_of(EXAMPLE / file)
        for line in block.text.splitlines()
    }
    lines = (EXAMPLE / file).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip() not in {*shown, ""}] == []


def test_an_adapter_takes_no_more_than_sixty_lines() -> None:
    adapter = EXAMPLE / "src" / "convostore_notes" / "adapter.py"
    assert len(adapter.read_text(encoding="utf-8").splitlines()) <= 60


def test_what_is_generated_is_up_to_date() -> None:
    generate = load(DOCS / "reference" / "generate.py")
    pages = list(generate.pages())
    assert ROOT / "README.md" in pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text == generate.written(text), f"run generate.py: {name_of(page)} is out of date"
    whole = generate.whole_files()
    assert {page for page in whole if page.parent == API} == set(API.iterdir())
    for file, text in whole.items():
        now = file.read_text(encoding="utf-8")
        assert now == text, f"run generate.py: {name_of(file)} is out of date"


def test_every_generated_part_has_its_place() -> None:
    generate = load(DOCS / "reference" / "generate.py")
    placed = [
        found["name"]
        for page in generate.pages()
        for found in generate.SECTION.finditer(page.read_text(encoding="utf-8"))
    ]
    assert sorted(placed) == sorted(generate.MAKERS)


def test_links_lead_somewhere() -> None:
    lost = [
        f"{name_of(page)}: {target}"
        for page in PAGES
        for target in LINK.findall(CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8"))))
        if not leads_somewhere(page, target)
    ]
    assert lost == []


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether what is linked is there; a link out of the project cannot be tested."""
    file, _, anchor = target.partition("#")
    other = (page.parent / file).resolve() if file else page
    return other.exists() and (not anchor or anchor in anchors(other))


@cache
def anchors(page: Path) -> set[str]:
    """The headings of a page as its links name them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_pictures_load_quickly() -> None:
    sizes = {image.name: image.stat().st_size for image in (DOCS / "images").glob("*.png")}
    assert "viewer.png" in sizes
    assert [name for name, size in sizes.items() if size > 200_000] == []


def test_the_index_leads_to_every_page() -> None:
    reached = {
        (index.parent / target.partition("#")[0]).resolve()
        for index in (DOCS / "README.md", DOCS / "decisions" / "README.md", API / "README.md")
        for target in LINK.findall(index.read_text(encoding="utf-8"))
    }
    pages = {page for page in DOCS.rglob("*.md") if DOCS / "examples" not in page.parents}
    assert pages - reached == {DOCS / "README.md"}


def test_decisions_are_numbered_dated_and_listed() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    notes = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [note.name[:4] for note in notes]
    assert len(set(numbers)) == len(numbers)
    assert re.findall(r"^\* \[(\d{4})\]", index, re.MULTILINE) == numbers
    for number, note in zip(numbers, notes, strict=True):
        title, _, date = note.read_text(encoding="utf-8").splitlines()[:3]
        assert title.startswith(f"# {number} ")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)


def test_each_decision_has_a_status_that_names_later_ones() -> None:
    for note in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        status = STATUS.fullmatch(note.read_text(encoding="utf-8").splitlines()[4])
        assert status, f"{note.name}: line 5 must be 'Status: in force.' or its like"
        later = re.findall(r"\[(\d{4})\]\((\d{4})", status[0])
        assert all(note.name[:4] < number == file for number, file in later), note.name


def test_the_files_that_contributors_are_shown_are_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, questions = text.partition("## Where is")
    files = re.findall(r"\| `([\w/]+\.py)` \|", questions)
    assert len(files) == 20
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_the_changelog_knows_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {project['version']}\n" in changes


def test_the_profiles_that_are_shown_are_toml() -> None:
    shown = [
        block.text
        for block in blocks(DOCS / "reference" / "dsn-and-options.md")
        if block.language == "toml"
    ]
    assert [tomllib.loads(textwrap.dedent(text))["profiles"].keys() for text in shown] == [
        {"work", "home"}
    ]
