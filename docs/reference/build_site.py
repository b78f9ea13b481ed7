"""Builds the site of the documents into `build/docs/site`.

    python docs/reference/build_site.py

It makes no request. A warning of Sphinx, a link or an anchor that leads nowhere, and a page that
the index does not link are errors. Links that lead out are listed in `build/docs/links.txt`.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from generator.names import ROOT
from sphinx.cmd.build import main as build
from website.links import check_site
from website.pages import DOCS, copy_pages


def main() -> int:
    folder = ROOT / "build" / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    source, site = folder / "source", folder / "site"
    copy_pages(source)
    options = ["-b", "html", "-W", "--keep-going", "-q", "-j", "auto", "-c", str(DOCS / "site")]
    if status := build([*options, "-d", str(folder / "doctrees"), str(source), str(site)]):
        return status
    copy_pages(site, directives=False)  # llms.txt links the pages as Markdown
    faults, external = check_site(site)
    (folder / "links.txt").write_text("\n".join(sorted(external)) + "\n", encoding="utf-8")
    for fault in faults:
        print(fault, file=sys.stderr)
    pages = sum(1 for _ in site.rglob("*.html"))
    print(f"{pages} pages: {Path(site / 'index.html').as_uri()}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
