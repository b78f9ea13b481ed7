"""What a mirror or an import did, in words and as JSON."""

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
    report: MirrorReport | ImportReport, wanted: Form, *, dry_run: bool, **about: str
) -> None:
    """Prints a report.

    Args:
        report: What was done.
        wanted: JSON, or words.
        dry_run: Whether it was only looked at.
        **about: What stands in the JSON as well.
    """
    if wanted is Form.JSON:
        write_json({**about, "dry_run": dry_run, **_document(report)}, indent=2)
        return
    for line in _lines(report, dry_run=dry_run):
        write(line)


def _counts(report: MirrorReport | ImportReport) -> dict[str, int]:
    values = {each.name: getattr(report, each.name) for each in fields(report)}
    return {name: value for name, value in values.items() if isinstance(value, int)}


def _document(report: MirrorReport | ImportReport) -> dict[str, Any]:
    return {
        **_counts(report),
        "skipped": [_skipped_document(each) for each in report.skipped],
        "losses": dict(sorted(report.losses.items())),
    }


def _skipped_document(skipped: Skipped) -> dict[str, str]:
    """What was left out, as data."""
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
    told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    yield f"conversations: {told}; written: {several(messages, 'message')}"
    yield from skipped_lines(report.skipped)
    yield from loss_lines(report.losses)


def skipped_lines(skipped: Sequence[Skipped]) -> Iterator[str]:
    """What was left out, each with its reason."""
    for each in skipped:
        yield f"skipped: {one_line(each.conversation_id)}: {one_line(str(each.error))}"


def loss_lines(losses: Mapping[str, int]) -> Iterator[str]:
    """What could not be held where it was written to."""
    for name, number in sorted(losses.items()):
        yield f"not held there: {name}, of {number:,}"
