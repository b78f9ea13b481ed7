"""Plugins: finding the installed backends and loading one at a time.

A backend is a distribution with an entry point in the group ``convostore``: its name is the DSN
scheme, its value a module that implements the hooks below. Opening one backend imports one plugin;
what does not load is an error when, and only when, its scheme is asked for.
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
    "lazy_attributes",
    "model_for",
]

GROUP: Final = "convostore"
"""The entry points of backends, by DSN scheme."""
MODELS_GROUP: Final = "convostore.models"
"""The entry points of plugins that put a model before a store, by the kind of the model's API."""
_BUILT_IN: Final = {
    "memory": ("convostore.adapters.memory", "MemoryAdapter"),
    "echo": ("convostore.adapters.echo", "EchoAdapter"),
}
_OURS: Final = {
    "fastgpt": "convostore-fastgpt",
    "perplexica": "convostore-perplexica",
    "sqlite": "convostore-sql",
    "postgresql": "convostore-sql",
    "gateway": "convostore-gateway",
}
_OUR_MODELS: Final = {"openai": "convostore-openai"}

ModelWrapper: TypeAlias = "Callable[..., Adapter]"
"""Takes a store's adapter, and ``url``, ``model``, ``api_key`` and options of its own by name;
returns an adapter of the same store whose replies the model makes."""

hookspec: Final = pluggy.HookspecMarker("convostore")
hookimpl: Final = pluggy.HookimplMarker("convostore")
"""Marks a plugin module's functions as the hooks below."""


class Hooks:
    """What a plugin module may implement, each function marked with `hookimpl`."""

    @hookspec
    def convostore_adapters(self) -> Mapping[str, type[Adapter]]:  # type: ignore[empty-body]
        """Returns the module's adapters by the schemes that they serve."""

    @hookspec
    def convostore_dialects(self) -> Mapping[str, type[Dialect]]:  # type: ignore[empty-body]
        """Returns the module's dialects by the schemes of the adapters that speak them."""

    @hookspec
    def convostore_models(self) -> Mapping[str, ModelWrapper]:  # type: ignore[empty-body]
        """Return the functions that put a model before a store, by the kind of its API.

        A module with this hook is found by an entry point in the group ``convostore.models`` whose
        name is that kind, such as ``openai``.
        """

    @hookspec
    def convostore_commands(self) -> Mapping[str, Any]:  # type: ignore[empty-body]
        """Returns commands of the command line by name.

        Each is a function with Typer's annotations, whose docstring is its help, or a Typer
        application, which is a command with commands of its own. What they raise is told as for
        ours. A module with commands is imported when somebody asks for help: let its imports wait.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A scheme that is installed, whether it loads or not."""

    scheme: str
    distribution: str
    version: str


def installed() -> tuple[Installed, ...]:
    """The schemes that are installed, by name; imports none of them."""
    found = [
        Installed(scheme=point.name, distribution=_name(point), version=_version(point))
        for points in _entry_points().values()
        for point in points
    ]
    ours = metadata.version("convostore")
    found += [
        Installed(scheme=scheme, distribution="convostore", version=ours) for scheme in _BUILT_IN
    ]
    return tuple(sorted(found, key=lambda each: (each.scheme, each.distribution)))


def adapter_for(scheme: str) -> type[Adapter]:
    """Loads the adapter of a scheme.

    Raises:
        ConfigError: No installed plugin serves it; the message lists those that are installed.
        PluginError: The plugin did not load, or two distributions claim the scheme.
    """
    if scheme in _BUILT_IN:
        if claimed := _entry_points().get(scheme):
            raise PluginError(
                f"{_name(claimed[0])} claims {scheme}://, which convostore has built in"
            )
        module, name = _BUILT_IN[scheme]
        return cast("type[Adapter]", getattr(importlib.import_module(module), name))
    point = _entry_point(scheme)
    for found in _asked(_load(point, f"{scheme}://"), point, scheme):
        if _is_adapter(found):
            return cast("type[Adapter]", found)
    raise PluginError(
        f"{_name(point)} is installed but brings no adapter of {scheme}://: "
        "its convostore_adapters() must return a dict with the adapter's class under that name"
    )


def model_for(kind: str) -> ModelWrapper:
    """Load what puts a model before a store.

    Args:
        kind: The model's API, such as ``"openai"``.

    Raises:
        ConfigError: No installed plugin knows such models; the message says what to install.
        PluginError: The plugin did not load, or two distributions claim the kind.
    """
    points = _entry_points(MODELS_GROUP).get(kind, ())
    if not points:
        pip = f": pip install {_OUR_MODELS[kind]}" if kind in _OUR_MODELS else ""
        raise ConfigError(f"no installed plugin puts a model of {kind} before a store{pip}")
    point = _only(points, f"models of {kind}")
    hooks = _load(point, f"models of {kind}")
    try:
        found = [each[kind] for each in hooks.convostore_models() if kind in each]
    except Exception as error:
        failed = f"{_name(point)} failed in convostore_models()"
        raise PluginError(f"{failed}: {_described(error)}") from error
    if not found:
        raise PluginError(
            f"{_name(point)} is installed but brings no models of {kind}: its "
            "convostore_models() must return a dict with a function under that name"
        )
    return cast("ModelWrapper", found[0])


def lazy_attributes(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Makes a package's ``__getattr__``, which imports a public name's module when it is asked for.

    A plugin is loaded to look what it brings; what it brings need not be loaded for that.

    Args:
        package: Its ``__name__``.
        homes: By public name, the package's module that has it.
    """

    def get(name: str) -> Any:  # Any: whatever the name stands for
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f".{homes[name]}", package), name)

    return get


def dialects() -> tuple[Mapping[str, type[Dialect]], tuple[PluginError, ...]]:
    """Loads every installed plugin, and returns their dialects by scheme.

    What did not load is returned beside them: the others serve all the same.
    """
    return _brought("convostore_dialects")


def commands() -> tuple[Mapping[str, Any], tuple[PluginError, ...]]:
    """Loads every installed plugin, and returns their commands by name, as the hook has them.

    What did not load is returned beside them.
    """
    return _brought("convostore_commands")


def _brought(hook: str) -> tuple[dict[str, Any], tuple[PluginError, ...]]:
    """What each plugin's hook returns, by name; of a name that two bring, the first one's."""
    brought: dict[str, Any] = {}
    failed: list[PluginError] = []
    for scheme, points in sorted(_entry_points().items()):
        for point in points:
            try:
                for each in getattr(_load(point, f"{scheme}://"), hook)():
                    brought = dict(each) | brought
            except PluginError as error:
                failed.append(error)
            except Exception as error:
                told = PluginError(f"{_name(point)} failed in {hook}(): {_described(error)}")
                told.__cause__ = error
                failed.append(told)
    return brought, tuple(failed)


def _is_adapter(found: object) -> bool:
    from .adapters import Adapter

    return isinstance(found, type) and issubclass(found, Adapter)


def _asked(hooks: Any, point: metadata.EntryPoint, scheme: str) -> list[object]:
    """What the plugin's hooks return for the scheme."""
    try:
        returned = hooks.convostore_adapters()
        return [each.get(scheme) for each in returned if isinstance(each, Mapping)]
    except Exception as error:
        told = f"{_name(point)} failed in convostore_adapters()"
        raise PluginError(f"{told}: {_described(error)}") from error


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
    """Imports one plugin and returns its hooks (pluggy's relay is untyped).

    Looked up once: to read its metadata takes longer than to open a store.
    """
    manager = pluggy.PluginManager("convostore")
    manager.add_hookspecs(Hooks)
    try:
        manager.register(point.load())
        manager.check_pending()
    except Exception as error:
        told = f"{_name(point)} {_version(point)}, which serves {served}, did not load"
        raise PluginError(f"{told}: {_too_new(point) or _described(error)}") from error
    if too_new := _too_new(point):
        raise PluginError(f"{_name(point)} {_version(point)} cannot serve {served}: {too_new}")
    return manager.hook


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _too_new(point: metadata.EntryPoint) -> str | None:
    """Says so when the plugin's own metadata asks for another convostore than this one."""
    from packaging.requirements import InvalidRequirement, Requirement

    ours = metadata.version("convostore")
    for line in (point.dist.requires if point.dist else None) or ():
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if _normalised(wanted.name) != "convostore" or (
            wanted.marker and not wanted.marker.evaluate()
        ):
            continue
        if not wanted.specifier.contains(ours, prereleases=True):
            return f"it needs convostore{wanted.specifier}, this is {ours}: upgrade convostore"
    return None


def _unknown(scheme: str) -> ConfigError:
    names = sorted({each.scheme for each in installed()})
    message = f"no installed plugin serves {scheme}://"
    if scheme in _OURS:
        return ConfigError(f"{message}: pip install {_OURS[scheme]}")
    near = difflib.get_close_matches(scheme, [*names, *_OURS], n=1)
    hint = f"; did you mean {near[0]}://?" if near else ""
    return ConfigError(f"{message}; installed: {', '.join(names)}{hint}")


def forget() -> None:
    """Looks for what is installed anew when it is next asked for."""
    _entry_points.cache_clear()
    _load.cache_clear()


@cache
def _entry_points(group: str = GROUP) -> dict[str, tuple[metadata.EntryPoint, ...]]:
    """The entry points of a group by name; one distribution found twice on the path counts once."""
    found: dict[str, dict[str, metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=group):
        found.setdefault(point.name, {}).setdefault(_normalised(_name(point)), point)
    return {scheme: tuple(points.values()) for scheme, points in found.items()}


def _name(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _version(point: metadata.EntryPoint) -> str:
    return point.dist.version if point.dist else "?"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
