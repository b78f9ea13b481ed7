"""The commands `init` and `profiles`: the file that gives stores names, and a default.

How the file is read and written belongs to `_profiles`.
"""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from ...dsn import DSN
from ...errors import ConfigError, StoreError
from .._completion import complete_profile
from .._confirm import can_ask
from .._diagnosis import Diagnosis, diagnose
from .._new_profile import new_profile
from .._output import AsJSON, Form, choose_form, display, mark_of, print_done, waiting, write
from .._output import write_json as write_document
from .._plugins import SETTINGS
from .._profiles import (
    Profile,
    add_profile,
    create_file,
    masked,
    read_profiles,
    set_default,
)
from ..errors import ExitCode, error_text, print_to_stderr
from ..options import opened
from ..render.text import one_line, tab_separated

__all__ = ["add", "check", "default", "init", "list_", "profiles"]

profiles: Final = typer.Typer(**SETTINGS)
"""The commands below `profiles`."""

_FIRST_NAME: Final = "main"

Address = Annotated[
    str, typer.Argument(metavar="DSN", help="The store's DSN, such as sqlite:///history.db.")
]
PlainOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="NAME=VALUE",
        help="An option of the backend to put into the profile. May be repeated.",
    ),
]
FromEnvironment = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME=VARIABLE",
        help="An option whose value, such as a key, is read from an environment variable. May be "
        "repeated.",
    ),
]
FromCommand = Annotated[
    list[str] | None,
    typer.Option(
        "--command",
        metavar="NAME=COMMAND",
        help="An option whose value is what a command prints, such as 'pass show work'. May be "
        "repeated.",
    ),
]
ProfileName = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=complete_profile, help="The profile's name.")
]


def init(
    dsn: Annotated[
        str | None,
        typer.Argument(
            metavar="DSN",
            help="The store's DSN, such as sqlite:///history.db; by default you are asked for it.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The profile's name; main by default.")
    ] = None,
    given: PlainOptions = None,
    environment: FromEnvironment = None,
    command: FromCommand = None,
) -> None:
    """Create the configuration file, with a first profile.

    The profile becomes the default. An existing file is never changed. Secrets are not written into
    the file: name the environment variable or the command that they come from. A SQLite file that
    is missing is created.
    """
    if dsn is None:
        if not can_ask():
            raise typer.BadParameter("name a store, such as sqlite:///history.db", param_hint="DSN")
        dsn = _ask("DSN of the store", _database())
        name = name or _ask("Name of its profile", _FIRST_NAME)
    name = name or _FIRST_NAME
    file = create_file(new_profile(name, dsn, given, environment, command), name)
    _create_database(name, dsn)
    print_done(f"{file} is written; {name} is the default target. Try it: convostore doctor")


def _database() -> str:
    """Return the DSN of a database in the platform's folder for data."""
    import platformdirs

    from ...config import file_dsn

    folder = platformdirs.user_data_path("convostore")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot create {folder}: {error.strerror}: name a store, as in 'convostore init DSN'"
        ) from None
    return file_dsn(folder / "history.db")


def _ask(question: str, default: str) -> str:
    typer.echo(f"{question} [{default}]: ", err=True, nl=False)
    line = sys.stdin.readline()
    if not line:
        raise typer.Exit(ExitCode.FAILED)
    return line.strip() or default


def _create_database(name: str, dsn: str) -> None:
    """Create a SQLite file that is missing, or print why that fails; reading commands do not."""
    if DSN.parse(dsn).scheme != "sqlite":
        return
    try:
        with opened(name, None, create=True) as store:
            store.check()
    except StoreError as error:
        print_to_stderr(f"the profile is written, but the store does not work: {error_text(error)}")


@profiles.callback(invoke_without_command=True)
def _profiles(ctx: typer.Context) -> None:
    """List, add and test profiles: the names of your stores."""
    if ctx.invoked_subcommand is None:
        list_()


def list_(as_json: AsJSON = False) -> None:
    """List the profiles, without their secrets.

    The default target is marked. In a pipe it is one line per profile: name, DSN, "default" or
    nothing, and the names of its options, separated by tabs.
    """
    from ...config import config_file, default_target

    form = choose_form(as_json=as_json)
    found, target = read_profiles(), default_target()
    if form is Form.JSON:
        documents = [
            {
                "name": profile.name,
                "dsn": masked(profile.dsn),
                "default": profile.name == target,
                "options": list(profile.options),
            }
            for profile in found
        ]
        write_document(documents, indent=2)
    elif form is Form.TERMINAL and found:
        from ..render.tables import profiles_table

        display(profiles_table([(p.name == target, p.name, *_facts(p)) for p in found]))
    elif form is Form.PLAIN:
        for profile in found:
            is_default = "default" if profile.name == target else ""
            dsn, options = _facts(profile)
            write(tab_separated(profile.name, dsn, is_default, options))
    if not found:
        print_done(f"no profiles: 'convostore init' creates {config_file()}")
    elif target is not None and target not in {profile.name for profile in found}:
        print_done(f"the default target is {one_line(masked(target))}")


list_.__name__ = "profiles list"


def _facts(profile: Profile) -> tuple[str, str]:
    return masked(profile.dsn), ", ".join(profile.options)


def add(
    name: ProfileName,
    dsn: Address,
    given: PlainOptions = None,
    environment: FromEnvironment = None,
    command: FromCommand = None,
    as_default: Annotated[
        bool, typer.Option("--default", help="Make it the default target.")
    ] = False,
) -> None:
    """Add a profile to the configuration file.

    The rest of the file, with its comments, is left unchanged. Secrets are not written: name the
    environment variable or the command that they come from.
    """
    profile = new_profile(name, dsn, given, environment, command)
    file = add_profile(profile, name, as_default=as_default)
    _create_database(name, dsn)
    print_done(f"{name} is added to {file}")


add.__name__ = "profiles add"


def default(name: ProfileName) -> None:
    """Make a profile the default target."""
    file = set_default(name)
    print_done(f"{name} is the default target in {file}")


default.__name__ = "profiles default"


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", autocompletion=complete_profile, help="The profiles; by default all."
        ),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Open profiles and check that each store can be reached and accepts the credential.

    Exits with 1 if one does not work. 'convostore doctor' shows more about one store.
    """
    form = choose_form(as_json=as_json)
    results = []
    for name in names or [profile.name for profile in read_profiles()]:
        shown = one_line(masked(name))
        with waiting(f"the state of {shown}"):
            result = _tested(name)
        results.append((masked(name), result))
        if form is not Form.JSON:
            write(f"{mark_of(result.is_well)} {shown}  {_outcome(result)}")
    if form is Form.JSON:
        write_document(
            [
                {"name": name, "store": result.store, "ok": result.is_well, "error": result.error}
                for name, result in results
            ],
            indent=2,
        )
    if not all(result.is_well for _, result in results):
        raise typer.Exit(ExitCode.FAILED)


check.__name__ = "profiles test"


def _tested(name: str) -> Diagnosis:
    try:
        with opened(name, None) as store:
            return diagnose(store)
    except StoreError as error:
        return Diagnosis(store=masked(name), reachable=False, error=error_text(error))


def _outcome(result: Diagnosis) -> str:
    if result.error is not None:
        return result.error
    return one_line(f"{result.store}  {result.generation or ''}")
