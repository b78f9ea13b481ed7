"""The site of the documents: its pages, their links, and the check of what was built.

Sphinx itself runs in `make docs`.
"""

import re

import pytest
from generator.index import LLMS, sections
from website import pages
from website.links import check_site

import convostore


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small repository: a README, two pages, an image, a source file."""
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    for name in ("README.md", "docs/guide/one.md", "docs/guide/README.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("# A page\n", encoding="utf-8")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").touch()
    (tmp_path / "docs/shown.png").touch()
    return tmp_path


def rewritten(repository, text, file="docs/guide/one.md"):
    (repository / file).write_text(text, encoding="utf-8")
    names = {"README.md": "index", "docs/guide/one.md": "guide/one"}
    names["docs/guide/README.md"] = "guide/index"
    places = {repository / path: name for path, name in names.items()}
    return pages.rewritten(repository / file, places, lambda image: f"images/{image.name}")


@pytest.mark.parametrize(
    ("file", "link", "on_the_site"),
    [
        ("docs/guide/one.md", "../../README.md", "../index.md"),
        ("docs/guide/one.md", "../../README.md#use", "../index.md#use"),
        ("docs/guide/one.md", "README.md", "index.md"),
        ("docs/guide/one.md", "#below", "#below"),
        ("README.md", "docs/guide/one.md", "guide/one.md"),
        ("README.md", "docs/guide", "guide/index.md"),
        ("README.md", "docs/shown.png", "images/shown.png"),
        ("docs/guide/one.md", "../shown.png", "../images/shown.png"),
        (
            "README.md",
            "https://example.org/docs/guide/one.md",
            "https://example.org/docs/guide/one.md",
        ),
    ],
)
def test_a_link_leads_to_the_page_s_place_on_the_site(repository, file, link, on_the_site):
    assert rewritten(repository, f"See [it]({link}).", file) == f"See [it]({on_the_site})."


def test_the_image_of_an_element_is_found_as_well(repository):
    text = '<img alt="A list" src="docs/shown.png">'
    assert rewritten(repository, text, "README.md") == text.replace("docs/", "images/")


def test_a_link_to_a_source_file_leads_to_the_repository(repository, monkeypatch):
    monkeypatch.setattr(pages, "repository", lambda: "https://example.org/it")
    monkeypatch.setattr(pages, "version", lambda: "3.0")
    link = rewritten(repository, "[code](../../src/a.py#L3) [all](../../src)")
    assert link == (
        "[code](https://example.org/it/blob/v3.0/src/a.py#L3) "
        "[all](https://example.org/it/tree/v3.0/src)"
    )


def test_code_is_not_rewritten(repository):
    text = "`[it](README.md)`\n\n```markdown\n[it](README.md)\n```\n"
    assert rewritten(repository, text) == text


def test_a_link_to_nothing_is_an_error_that_names_the_page(repository):
    with pytest.raises(FileNotFoundError, match=r"guide/one\.md links gone\.md"):
        rewritten(repository, "[it](gone.md)")


def test_each_page_has_a_place_of_its_own_and_stands_in_the_table_of_contents(tmp_path):
    pages.copy_pages(tmp_path)
    named = set()
    for file in tmp_path.rglob("*.md"):
        for tree in re.findall(
            r"^```{toctree}\n((?:.*\n)*?)```", file.read_text("utf-8"), re.MULTILINE
        ):
            entries = re.findall(r"^(?!:)(?:.+ <(.+)>|(\S+))$", tree, re.MULTILINE)
            folder = file.parent.relative_to(tmp_path)
            named |= {(folder / (titled or plain)).as_posix() for titled, plain in entries}
    places = pages.site_pages().values()
    assert len(set(places)) == len(places)
    assert set(places) - named == {"index"}
    assert named <= set(places)


def test_pages_for_readers_hold_nothing_that_only_sphinx_reads(tmp_path):
    pages.copy_pages(tmp_path, directives=False)
    assert [file for file in tmp_path.rglob("*.md") if "```{" in file.read_text("utf-8")] == []
    text = (tmp_path / "llms.txt").read_text("utf-8")
    linked = re.findall(r"^- \[.+?\]\((.+?)\)", text, re.MULTILINE)
    assert linked
    assert [target for target in linked if not (tmp_path / target).is_file()] == []


def test_llms_txt_has_each_section_of_the_index():
    text = LLMS.read_text(encoding="utf-8")
    assert text.startswith("# convostore\n\n> ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == list(sections())
    assert len(sections()) > 3


@pytest.mark.rim
def test_the_example_of_llms_txt_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", LLMS.read_text(encoding="utf-8"), re.DOTALL)
    exec(code[1], {})
    with convostore.open("sqlite:///history.db") as store:
        (conversation,) = store.conversations()
        assert [message.text for message in store.messages(conversation.id)] == [
            "How far is the moon?"
        ]


def checked(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    return check_site(tmp_path)


def test_a_sound_site_has_no_faults_and_its_links_out_are_listed(tmp_path):
    (tmp_path / "site.js").touch()
    (tmp_path / "part").mkdir()
    (tmp_path / "part/index.html").touch()
    index = (
        '<script src="site.js"></script><img src="data:,"><a href="other.html#place">x</a>'
        '<a href="#top" id="top">x</a><a href="part/">x</a><a href="https://example.org/">x</a>'
    )
    faults, external = checked(tmp_path, index=index, other='<h2 id="place">x</h2>')
    assert faults == []
    assert external == {"https://example.org/"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="gone.html">x</a>', "index.html links gone.html, which does not exist"),
        ('<a href="#gone">x</a>', "index.html links #gone, which does not exist"),
        ('<img src="gone.png">', "index.html loads gone.png, which does not exist"),
        ('<script src="https://cdn.test/a.js"></script>', "index.html loads https://cdn.test/a.js"),
        ('<link rel="stylesheet" href="//cdn.test/a.css">', "index.html loads //cdn.test/a.css"),
    ],
)
def test_what_leads_nowhere_or_is_loaded_from_afar_is_a_fault(tmp_path, text, fault):
    faults, _ = checked(tmp_path, index=text)
    assert faults == [fault]
