"""Report phrases that the project's English avoids, with the advice of `words.toml`.

    python .ci/words.py [FILE …]    the whole tree without arguments; exits with 1 if there is any

It reads prose only: Markdown without its code, headings and generated parts, the text of templates,
and in Python the docstrings and all other strings with a space. It does not read decisions,
recordings or tests.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
RULES: Final = Path(__file__).with_name("words.toml")
PATTERNS: Final = (
    "*.md",
    "benchmarks/*.md",
    "docs/*.md",
    "docs/[!d]*/**/*.md",
    "docs/reference/**/*.py",
    "plugins/*/README.md",
    "plugins/*/src/**/*.html",
    "plugins/*/src/**/*.py",
    "src/**/*.py",
)
CODE: Final = re.compile(
    r"<!-- generated: .*?<!-- end -->|<!-- Written by .*|<!--.*?-->"
    r"|^[ ]*(?P<fence>```|~~~).*?^[ ]*(?P=fence)[ ]*$"
    r"|``.+?``|`[^`\n]+(?:\n[^`\n]+)?`|\]\([^)\s]*\)|^#+ [^\n]*",
    re.DOTALL | re.MULTILINE,
)
MARKUP: Final = re.compile(r"\{[{%#].*?[%#}]\}|<[^>]*>", re.DOTALL)
SPACE: Final = r"[ \v]"
"""A space, or the end of a line within a paragraph, which `check` writes as a vertical tab."""


@dataclass(frozen=True)
class Rule:
    """What not to write, what to write instead, and examples of both."""

    pattern: re.Pattern[str]
    advice: str
    bad: tuple[str, ...]
    good: tuple[str, ...]


def read_rules(path: Path = RULES) -> list[Rule]:
    return [
        Rule(
            re.compile(rule["pattern"].replace(" ", SPACE)),
            rule["advice"],
            tuple(rule["bad"]),
            tuple(rule.get("good", ())),
        )
        for rule in tomllib.loads(path.read_text(encoding="utf-8"))["rules"]
    ]


def find_files(root: Path = ROOT) -> list[Path]:
    return sorted({file for pattern in PATTERNS for file in root.glob(pattern)})


def read_prose(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file, each with the number of its first line."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield node.lineno, CODE.sub(_blank, node.value)
    else:
        yield 1, (MARKUP if file.suffix == ".html" else CODE).sub(_blank, text)


def _blank(code: re.Match[str]) -> str:
    """Return a placeholder with the same number of lines, which no phrase can cross."""
    return "\x00" + "\n" * code[0].count("\n")


def check(text: str, rules: Iterable[Rule]) -> Iterator[tuple[int, str, Rule]]:
    """Yield the line (from 0), the phrase and the rule of each match."""
    flat = re.sub(r"[ \t]+", " ", re.sub(r"(?<!\n)[ \t]*\n[ \t]*(?=[^\s])", "\v", text))
    for rule in rules:
        for match in rule.pattern.finditer(flat):
            line = len(re.findall(r"[\v\n]", flat[: match.start()]))
            yield line, " ".join(match[0].split()), rule


def main(arguments: list[str]) -> int:
    rules = read_rules()
    chosen = [Path(argument).resolve() for argument in arguments] or find_files()
    found = [
        f"{file.relative_to(ROOT)}:{first + line}: {phrase!r}: {rule.advice}"
        for file in chosen
        for first, text in read_prose(file)
        for line, phrase, rule in check(text, rules)
    ]
    print("\n".join(found), end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
