"""Writes what the documents repeat from the code.

    python docs/reference/generate.py

A page holds ``<!-- generated: NAME -->`` and ``<!-- end -->``; what is between them is made here.
The pages below ``docs/reference/api`` and ``docs/llms.txt`` are made whole. The tests check that
every file is as this would write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from generator import backends, decisions, errors, kit, modules, names, terminal, values
from generator.api import FOLDER, api_pages
from generator.index import LLMS, llms_txt

ROOT: Final = names.ROOT
SECTION: Final = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)
MAKERS: Final[dict[str, Callable[[], str]]] = {
    "schema": values.schema,
    "words": values.words,
    "reply-events": values.reply_events,
    "events-sent": values.events_sent,
    "reply-values": values.reply_values,
    "reply-stream": values.reply_stream,
    "error-tree": errors.error_tree,
    "error-classes": errors.error_classes,
    "fastgpt-errors": errors.fastgpt_errors,
    "problem-kinds": errors.problem_kinds,
    "operation-errors": errors.operation_errors,
    "http-options": backends.http_options,
    "fastgpt-options": backends.fastgpt_options,
    "fastgpt-reply-options": backends.fastgpt_reply_options,
    "perplexica-options": backends.perplexica_options,
    "sqlite-options": backends.sqlite_options,
    "postgresql-options": backends.postgresql_options,
    "dsn-grammar": backends.dsn_grammar,
    "native-api": backends.native_api,
    "gateway-limits": backends.gateway_limits,
    "gateway-options": backends.gateway_options,
    "support": backends.support,
    "support-short": backends.support_short,
    "traits": backends.traits,
    "clauses": kit.kit_clauses,
    "fault-clauses": kit.fault_clauses,
    "faults": kit.faults,
    "cli-help": terminal.cli_help,
    "exit-codes": terminal.exit_codes,
    "public-names": names.public_names,
    "decisions": decisions.decisions,
    "layers": modules.layers,
    "modules": modules.modules,
}


def pages() -> Iterable[Path]:
    """The pages that have something generated."""
    for page in sorted(
        [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    ):
        if SECTION.search(page.read_text(encoding="utf-8")):
            yield page


def written(text: str) -> str:
    """A page's text as it ought to be."""
    return SECTION.sub(lambda found: found["begin"] + MAKERS[found["name"]]() + found["end"], text)


def whole_files() -> dict[Path, str]:
    """The files of which nothing is written by hand."""
    return {**api_pages(), LLMS: llms_txt()}


def main() -> None:
    whole = whole_files()
    FOLDER.mkdir(exist_ok=True)
    for page in set(FOLDER.iterdir()) - whole.keys():
        page.unlink()
    for file, text in whole.items():
        file.write_text(text, encoding="utf-8", newline="\n")
    for page in pages():
        text = page.read_text(encoding="utf-8")
        page.write_text(written(text), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
