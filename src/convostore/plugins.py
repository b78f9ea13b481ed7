"""Plugins: the installed backends, found by entry points and loaded one at a time.

A backend is a distribution with an entry point in the group ``convostore``: its name is the DSN
scheme, its value a module that implements the hooks below. Opening one backend imports one plugin;
one that does not load is an error when, and only when, its scheme is opened. No plugin may be known
here but by the name of its distribution.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import pluggy

from ._lazy import lazy_attributes
from .errors import ConfigError, PluginError

if TYPE_CHECKING:
    from .adapters import Adapter
    from .dialects import Dialect

__all__ = [
    "GROUP",
    "MODELS_GROUP",
    "Hooks",
    "Installed",
    "ModelWrapper",
    "adapter_for",
    "commands",
    "dialects",
    "forget",
    "hookimpl",
    "hookspec",
    "installed",
    "installed_models",
    "lazy_attributes",
    "model_for",
]

GROUP: Final = "convostore"
"""The entry-point group of backends; each name in it is a DSN scheme."""
MODELS_GROUP: Final = "convostore.models"
"""The entry-point group of plugins that let a model reply; each name is a kind of model API."""
_BUILT_IN: Final = {
    "memory": ("convostore.adapters.memory", "MemoryAdapter"),
    "echo": ("convostore.adapters.echo", "EchoAdapter"),
}
_OUR_SCHEMES: Final = ("fastgpt", "gateway", "perplexica", "postgresql", "sqlite")
"""The schemes of this project's plugins; `convostore` has an extra of each name."""
_OUR_MODELS: Final = ("openai",)

ModelWrapper: TypeAlias = "Callable[..., Adapter]"
"""A function that wraps a store's adapter in one whose replies a model makes.

It is called with the adapter and, by name, ``url``, ``model``, ``api_key`` and further options.
"""

hookspec: Final = pluggy.HookspecMarker("convostore")
"""The marker of the hooks that `Hooks` declares; a plugin needs only `hookimpl`."""
hookimpl: Final = pluggy.HookimplMarker("convostore")
"""The marker of the functions by which a plugin implements the hooks."""


class Hooks:
    """The hooks that a plugin module may implement, each by a function marked with `hookimpl`."""

    @hookspec
    def convostore_adapters(self) -> Mapping[str, type[Adapter]]:  # type: ignore[empty-body]
        """Return the module's adapters by the schemes that they serve."""

    @hookspec
    def convostore_dialects(self) -> Mapping[str, type[Dialect]]:  # type: ignore[empty-body]
        """Return the module's dialects by the schemes of the adapters that speak them."""

    @hookspec
    def convostore_models(self) -> Mapping[str, ModelWrapper]:  # type: ignore[empty-body]
        """Return the functions that put a model in front of a store, by the kind of its API.

        A module with this hook is found by an entry point in the group ``convostore.models`` whose
        name is that kind, such as ``openai``.
        """

    @hookspec
    def convostore_commands(self) -> Mapping[str, Any]:  # type: ignore[empty-body]
        """Return commands of the command line by name.

        Each is a function with Typer's annotations, whose docstring is its help, or a Typer
        application, which is a command with subcommands. Their errors are reported like those of
        our commands. A module with commands is imported when somebody asks for help: keep heavy
        imports inside its functions.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An installed scheme, whether it loads or not."""

    scheme: str
    distribution: str
    version: str


def installed() -> tuple[Installed, ...]:
    """Return the installed schemes, sorted by name, without importing any of them."""
    schemes = [
        Installed(scheme=point.name, distribution=_name(point), version=_version(point))
        for points in _entry_points().values()
        for point in points
    ]
    ours = metadata.version("convostore")
    schemes += [
        Installed(scheme=scheme, distribution="convostore", version=ours) for scheme in _BUILT_IN
    ]
    return tuple(sorted(schemes, key=lambda entry: (entry.scheme, entry.distribution)))


def installed_models() -> tuple[Installed, ...]:
    """Return the installed kinds of models, sorted by name, without importing any of them."""
    entries = [
        Installed(scheme=point.name, distribution=_name(point), version=_version(point))
        for points in _entry_points(MODELS_GROUP).values()
        for point in points
    ]
    return tuple(sorted(entries, key=lambda entry: (entry.scheme, entry.distribution)))


def adapter_for(scheme: str) -> type[Adapter]:
    """Load the adapter of a scheme.

    Raises:
        ConfigError: No installed plugin serves it; the message lists those that are installed.
        PluginError: The plugin did not load, or two distributions claim the scheme.
    """
    if scheme in _BUILT_IN:
        if points := _entry_points().get(scheme):
            raise PluginError(
                f"{_name(points[0])} claims {scheme}://, which is built into convostore: "
                "uninstall it"
            )
        module, name = _BUILT_IN[scheme]
        return cast("type[Adapter]", getattr(importlib.import_module(module), name))
    point = _entry_point(scheme)
    for value in _hook_values("convostore_adapters", point, f"{scheme}://"):
        if _is_adapter(value):
            return cast("type[Adapter]", value)
    raise PluginError(
        f"{_name(point)} is installed but provides no adapter for {scheme}://: "
        "its convostore_adapters() must return a dict with the adapter's class under that name"
    )


def model_for(kind: str) -> ModelWrapper:
    """Load the function that lets a model reply for a store.

    Args:
        kind: The model's API, such as ``"openai"``.

    Raises:
        ConfigError: No installed plugin knows such models; the message names the one to install.
        PluginError: The plugin did not load, or two distributions claim the kind.
    """
    points = _entry_points(MODELS_GROUP).get(kind, ())
    if not points:
        advice = f": {_pip_install(kind)}" if kind in _OUR_MODELS else ""
        raise ConfigError(f"no installed plugin lets a model of {kind} reply for a store{advice}")
    point = _only(points, f"models of {kind}")
    for value in _hook_values("convostore_models", point, f"models of {kind}"):
        if callable(value):
            return cast("ModelWrapper", value)
    raise PluginError(
        f"{_name(point)} is installed but provides no models of {kind}: its "
        "convostore_models() must return a dict with a function under that name"
    )


def dialects() -> tuple[Mapping[str, type[Dialect]], tuple[PluginError, ...]]:
    """Load every installed plugin and return their dialects by scheme.

    The errors of those that did not load are returned as well: the others serve all the same.
    """
    return _all_hook_values("convostore_dialects")


def commands() -> tuple[Mapping[str, Any], tuple[PluginError, ...]]:
    """Load every installed plugin and return their commands by name, as the hook has them.

    The errors of those that did not load are returned as well.
    """
    return _all_hook_values("convostore_commands")


def _all_hook_values(hook: str) -> tuple[dict[str, Any], tuple[PluginError, ...]]:
    """Return what all plugins' hooks return, by name; of a name that two bring, the first's."""
    values_by_name: dict[str, Any] = {}
    failures: list[PluginError] = []
    for scheme, points in sorted(_entry_points().items()):
        for point in points:
            try:
                for values in getattr(_load(point, f"{scheme}://"), hook)():
                    values_by_name = dict(values) | values_by_name
            except PluginError as error:
                failures.append(error)
            except Exception as error:
                failure = _failed_in(hook, point, error)
                failure.__cause__ = error
                failures.append(failure)
    return values_by_name, tuple(failures)


def _is_adapter(value: object) -> bool:
    from .adapters import Adapter

    return isinstance(value, type) and issubclass(value, Adapter)


def _hook_values(hook: str, point: metadata.EntryPoint, served: str) -> list[object]:
    """Return what a plugin's hook returns under the name of its entry point."""
    hooks = _load(point, served)
    try:
        mappings = getattr(hooks, hook)()
        return [values.get(point.name) for values in mappings if isinstance(values, Mapping)]
    except Exception as error:
        raise _failed_in(hook, point, error) from error


def _failed_in(hook: str, point: metadata.EntryPoint, error: Exception) -> PluginError:
    if isinstance(error, ConfigError):  # the plugin says what is missing, in words for users
        return PluginError(str(error))
    return PluginError(f"{_name(point)} failed in {hook}(): {_description(error)}")


def _entry_point(scheme: str) -> metadata.EntryPoint:
    points = _entry_points().get(scheme, ())
    if not points:
        raise _unknown(scheme)
    return _only(points, f"{scheme}://")


def _only(points: Sequence[metadata.EntryPoint], served: str) -> metadata.EntryPoint:
    if len(points) > 1:
        both = " and ".join(sorted(_name(point) for point in points))
        raise PluginError(f"{both} both claim {served}: uninstall one of them")
    return points[0]


@cache
def _load(point: metadata.EntryPoint, served: str) -> Any:
    """Import one plugin and return its hooks (pluggy's relay is untyped).

    The result is cached: to read the plugin's metadata takes longer than to open a store.
    """
    manager = pluggy.PluginManager("convostore")
    manager.add_hookspecs(Hooks)
    try:
        manager.register(point.load())
        manager.check_pending()
    except Exception as error:
        reason = _misfit(point) or _description(error)
        raise PluginError(
            f"{_name(point)} {_version(point)}, which serves {served}, did not load: {reason}"
        ) from error
    if misfit := _misfit(point):
        raise PluginError(f"{_name(point)} {_version(point)} cannot serve {served}: {misfit}")
    return manager.hook


def _description(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _misfit(point: metadata.EntryPoint) -> str | None:
    """Return a complaint where the plugin's metadata requires a different convostore."""
    from packaging.requirements import InvalidRequirement, Requirement

    ours = metadata.version("convostore")
    for line in (point.dist.requires if point.dist else None) or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        marker, specifier = requirement.marker, requirement.specifier
        if _normalised(requirement.name) != "convostore" or (marker and not marker.evaluate()):
            continue
        if not specifier.contains(ours, prereleases=True):
            pip = f"pip install --upgrade convostore {_name(point)}"
            return f"it needs convostore{specifier}, this is {ours}: {pip}"
    return None


def _pip_install(extra: str) -> str:
    return f'pip install "convostore[{extra}]"'


def _unknown(scheme: str) -> ConfigError:
    names = sorted({entry.scheme for entry in installed()})
    message = f"no installed plugin serves {scheme}://"
    if scheme in _OUR_SCHEMES:
        return ConfigError(f"{message}: {_pip_install(scheme)}")
    return ConfigError(f"{message}; installed: {', '.join(names)}{_hint(scheme, names)}")


def _hint(scheme: str, names: Sequence[str]) -> str:
    if scheme in {"http", "https"}:
        return f"; begin with the name of the service's backend, such as perplexica+{scheme}://"
    if scheme in _OUR_MODELS:
        return f"; {scheme} is a model, which replies for a store: call open_answered"
    if scheme == "file":
        return "; did you mean sqlite:///?"
    near = difflib.get_close_matches(scheme, [*names, *_OUR_SCHEMES], n=1)
    return f"; did you mean {near[0]}://?" if near else ""


def forget() -> None:
    """Forget which plugins are installed; they are looked up again on next use."""
    _entry_points.cache_clear()
    _load.cache_clear()


@cache
def _entry_points(group: str = GROUP) -> dict[str, tuple[metadata.EntryPoint, ...]]:
    """Return the entry points of a group by name.

    A distribution that is found twice on the path counts once.
    """
    by_name: dict[str, dict[str, metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=group):
        by_name.setdefault(point.name, {}).setdefault(_normalised(_name(point)), point)
    return {name: tuple(points.values()) for name, points in by_name.items()}


def _name(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _version(point: metadata.EntryPoint) -> str:
    return point.dist.version if point.dist else "?"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
