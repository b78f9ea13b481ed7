"""The PostgreSQL of the tests: it is a real one, runs without rights, and is gone afterwards."""

from __future__ import annotations

import socket

import psycopg
import pytest

from .support import servers


@pytest.mark.rim
def test_it_runs_as_a_user_without_rights(server):
    with server.connect() as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone()
    uid = servers.Path(folder).stat().st_uid
    assert uid != 0


@pytest.mark.rim
def test_it_wants_its_password(server):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host="127.0.0.1", port=server.port, user="postgres", password="wrong", dbname="postgres"
        )


@pytest.mark.rim
def test_a_database_is_gone_with_its_test(server):
    with server.database() as name, server.connect(name) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        server.connect(name)


@pytest.mark.rim
def test_it_stops_and_starts_again_at_the_same_address():
    with servers.running_or_skipped() as server:
        with server.connect() as connection:
            connection.execute("CREATE TABLE kept (value int)")
        server.stop()
        with pytest.raises(psycopg.OperationalError):
            server.connect()
        server.start()
        with server.connect() as connection:
            assert connection.execute("SELECT * FROM kept").fetchall() == []
        port = server.port
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", port))


@pytest.mark.rim
def test_those_that_share_one_use_the_same_until_the_last_has_gone(tmp_path):
    with servers.shared_or_skipped(tmp_path) as first:
        with servers.shared_or_skipped(tmp_path) as second:
            assert first == second
        with first.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="refused"):
        first.connect()


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(servers, "_candidates", lambda: iter(()))


def test_without_a_server_tests_are_skipped_and_say_what_to_install(nothing_installed, monkeypatch):
    monkeypatch.delenv(servers.REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="pgserver"), servers.running_or_skipped():
        pass


def test_without_a_server_tests_fail_where_one_is_required(nothing_installed, monkeypatch):
    monkeypatch.setenv(servers.REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="pgserver"), servers.running_or_skipped():
        pass
