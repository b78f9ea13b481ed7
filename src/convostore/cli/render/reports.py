"""Reports of mirrors and imports, as text and as JSON.

Nothing is copied here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .._output import Form, write, write_json
from .text import one_line, several

if TYPE_CHECKING:
    from ...transfer import ImportReport, MirrorReport, Skipped

__all__ = ["loss_lines", "skipped_lines", "write_report"]


def write_report(
    report: MirrorReport | ImportReport, form: Form, *, dry_run: bool, **about: str
) -> None:
    """Print a report.

    Args:
        report: The report of a run.
        form: JSON, or any other form for text.
        dry_run: Whether nothing was written.
        **about: More members of the JSON object.
    """
    if form is Form.JSON:
        write_json({**about, "dry_run": dry_run, **_document(report)}, indent=2)
        return
    for line in _lines(report, dry_run=dry_run):
        write(line)


def _counts(report: MirrorReport | ImportReport) -> dict[str, int]:
    values = {field.name: getattr(report, field.name) for field in fields(report)}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def _document(report: MirrorReport | ImportReport) -> dict[str, Any]:
    return {
        **_counts(report),
        "skipped": [_skipped_document(entry) for entry in report.skipped],
        "losses": dict(sorted(report.losses.items())),
    }


def _skipped_document(skipped: Skipped) -> dict[str, str]:
    return {
        "conversation_id": skipped.conversation_id,
        "error": type(skipped.error).__name__,
        "reason": one_line(str(skipped.error)),
    }


def _lines(report: MirrorReport | ImportReport, *, dry_run: bool) -> Iterator[str]:
    counts = _counts(report)
    messages = counts.pop("messages")
    if dry_run:
        yield "nothing was written; this is what would be done:"
    totals = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    yield f"conversations: {totals}; written: {several(messages, 'message')}"
    yield from skipped_lines(report.skipped)
    yield from loss_lines(report.losses)


def skipped_lines(skipped: Sequence[Skipped]) -> Iterator[str]:
    """Yield a line for each skipped conversation, with the reason."""
    for entry in skipped:
        yield f"skipped: {one_line(entry.conversation_id)}: {one_line(str(entry.error))}"


def loss_lines(losses: Mapping[str, int]) -> Iterator[str]:
    """Yield a line for each kind of data that the target cannot hold."""
    for name, number in sorted(losses.items()):
        yield f"not stored there: {name}, of {number:,}"
