"""The rules for the project's English (`.ci/words.toml`), and the check of `make lint`."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = re.compile(r"^(\|.*\|)\n\|(?: --- \|)+$", re.MULTILINE)


@pytest.fixture(scope="module")
def words():
    spec = importlib.util.spec_from_file_location("ci_words", ROOT / ".ci" / "words.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def found(words, file):
    return [
        (first + line, phrase)
        for first, text in words.read_prose(file)
        for line, phrase, _ in words.check(text, words.read_rules())
    ]


def test_each_rule_finds_its_bad_phrases_and_no_good_one(words):
    for rule in words.read_rules():
        assert rule.bad
        missed = [phrase for phrase in rule.bad if not list(words.check(phrase, [rule]))]
        wrong = [phrase for phrase in rule.good if list(words.check(phrase, [rule]))]
        assert (rule.pattern.pattern, missed, wrong) == (rule.pattern.pattern, [], [])


def test_no_rule_reports_a_good_phrase_of_another(words):
    good = "\n\n".join(phrase for rule in words.read_rules() for phrase in rule.good)
    assert list(words.check(good, words.read_rules())) == []


def test_a_phrase_in_markdown_is_found_across_lines_and_not_in_code(words, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Going\n\nThe file `is no DSN`, and the run goes\non.\n\n"
        "```python\n# it goes on\n```\n\nNot where it goes\n\non <!-- goes on -->.\n\n"
        "* It is read\n  anew.\n",
        encoding="utf-8",
    )
    assert found(words, page) == [(3, "goes on"), (15, "anew")]


def test_what_is_generated_is_left_to_its_source(words, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- generated: x -->\nIt goes on.\n<!-- end -->\n\nIt goes on.\n\n"
        "<!-- Written by a program -->\n\nIt goes on.\n",
        encoding="utf-8",
    )
    assert found(words, page) == [(5, "goes on")]


def test_docstrings_and_messages_are_read_and_names_are_not(words, tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        '"""A module.\n\nIt ``goes on`` and goes on.\n"""\n\nanew = 1\nx = {"anew": anew}\n'
        'raise ValueError(f"{anew} is no DSN")\n',
        encoding="utf-8",
    )
    assert sorted(found(words, module)) == [(3, "goes on"), (8, "is no")]


def test_markup_of_a_template_is_not_read(words, tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<p title="goes on">\n{{ goes on }}<b>goes on</b>', encoding="utf-8")
    assert found(words, page) == [(2, "goes on")]


def test_the_check_names_file_line_and_advice_and_fails(words, tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").write_text("Fine.\n\nIt goes on.\n", encoding="utf-8")
    monkeypatch.setattr(words, "ROOT", tmp_path)
    assert words.main([str(tmp_path / "README.md")]) == 1
    assert capsys.readouterr().out == "README.md:3: 'goes on': write \"continue\"\n"
    (tmp_path / "README.md").write_text("It continues.\n", encoding="utf-8")
    assert words.main([str(tmp_path / "README.md")]) == 0
    assert capsys.readouterr().out == ""


def test_the_check_reads_documents_templates_and_sources_and_no_decisions_or_tests(words):
    files = [file.relative_to(ROOT).as_posix() for file in words.find_files()]
    assert {
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "docs/README.md",
        "docs/examples/convostore-notes/README.md",
        "docs/how-to/search.md",
        "plugins/sql/README.md",
        "plugins/sql/src/convostore_sql/adapter.py",
        "src/convostore/cli/app.py",
    } <= set(files)
    assert any(file.endswith(".html") for file in files)
    read = [ROOT / file for file in files]
    assert not [file for file in read if {"decisions", "tests", "cassettes"} & set(file.parts)]


def test_every_column_of_a_table_has_a_heading(words):
    nameless = [
        f"{file.relative_to(ROOT)}: {heading}"
        for file in words.find_files()
        if file.suffix == ".md"
        for heading in TABLE.findall(file.read_text(encoding="utf-8"))
        if not all(column.strip() for column in heading.strip("|").split("|"))
    ]
    assert nameless == []
