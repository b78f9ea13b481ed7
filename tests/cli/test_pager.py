"""Long output goes through a pager at a terminal, and nowhere else."""

import io
import sys

import pytest

from convostore.cli import _pager as pager
from convostore.cli._pager import PagedOutput, use_pager

from ..support.cli import on_a_terminal, on_posix

pytestmark = [pytest.mark.rim, on_posix]

LONG = """
with convostore.open("memory://seeded") as store:
    for number in range(40):
        text = TextPart(text=f"No {number}!")
        store.append_messages("moon", [Message(role="user", parts=(text,))])
"""
NUMBERING = "sed 's/^/paged: /'"


def test_what_is_longer_than_the_screen_goes_through_the_pager():
    session = on_a_terminal("show", "memory://seeded", "moon", before=LONG, pager=NUMBERING)
    assert session.status == 0
    assert session.shown.count("paged: ") > 100
    assert "\x1b[1m" in session.shown  # colours and all
    assert "No 39!" in session.shown


def test_what_fits_on_the_screen_does_not():
    session = on_a_terminal("show", "memory://seeded", "tides", pager=NUMBERING)
    assert "At " in session.shown
    assert "paged: " not in session.shown


def test_an_option_anywhere_means_no_pager():
    for words in (("--no-pager", "show"), ("show", "--no-pager")):
        session = on_a_terminal(*words, "memory://seeded", "moon", before=LONG, pager=NUMBERING)
        assert session.status == 0
        assert "No 39!" in session.shown
        assert "paged: " not in session.shown


def test_a_pager_that_is_closed_is_no_error():
    session = on_a_terminal("show", "memory://seeded", "moon", before=LONG, pager="head -n 3")
    assert session.status == 0
    assert "convostore:" not in session.shown
    assert "No 39!" not in session.shown


def test_a_pager_that_cannot_be_run_is_said_and_all_is_shown():
    session = on_a_terminal("show", "memory://seeded", "moon", before=LONG, pager="no-such-pager")
    assert session.status == 0
    assert "cannot run the pager no-such-pager" in session.shown
    assert "No 39!" in session.shown


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({}, ["less"]),
        ({"PAGER": "more"}, ["more"]),
        ({"PAGER": "more", "CONVOSTORE_PAGER": "less -S"}, ["less", "-S"]),
        ({"PAGER": "more", "CONVOSTORE_PAGER": ""}, None),
        ({"PAGER": "cat"}, None),
        ({"PAGER": "more", "TERM": "dumb"}, None),
    ],
)
def test_the_pager_is_the_one_that_the_environment_names(monkeypatch, variables, command):
    for name in ("PAGER", "CONVOSTORE_PAGER", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert pager._command() == command


def test_less_shows_colours_whatever_its_own_settings_are(monkeypatch, tmp_path):
    less = tmp_path / "less"
    less.write_text(f'#!/bin/sh\necho "$LESS $@" > {tmp_path}/said\ncat > {tmp_path}/paged\n')
    less.chmod(0o755)
    monkeypatch.setenv("LESS", "-i")
    monkeypatch.setenv("CONVOSTORE_PAGER", f"{less} -S")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    use_pager(is_on=True)
    with PagedOutput(height=2) as output:
        output.write("one\ntwo\nthree\n")
    assert (tmp_path / "said").read_text() == "-i -S -R\n"
    assert (tmp_path / "paged").read_text() == "one\ntwo\nthree\n"


def test_an_interrupt_while_people_read_waits_for_them(monkeypatch, tmp_path):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("CONVOSTORE_PAGER", f"tee {tmp_path / 'paged'}")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    use_pager(is_on=True)
    closes = []
    really = pager._close

    def close(process):
        closes.append(process)
        if len(closes) == 1:
            raise KeyboardInterrupt
        really(process)

    monkeypatch.setattr(pager, "_close", close)
    with PagedOutput(height=2) as output:
        output.write("one\ntwo\nthree\n")
    assert len(closes) == 2
    assert (tmp_path / "paged").read_text() == "one\ntwo\nthree\n"
