"""Plugins: found by entry point, imported one at a time, and their failures named."""

import subprocess
import sys

import pytest

import convostore
from convostore import DSN, ConfigError, PluginError
from convostore.plugins import MODELS_GROUP, adapter_for, dialects, installed, model_for

GOOD = """
from convostore.adapters.memory import MemoryAdapter
from convostore.plugins import hookimpl

class Good(MemoryAdapter):
    name = "good"

@hookimpl
def convostore_adapters():
    return {"good": Good}
"""
BROKEN = "import a_module_that_nobody_has\n"


def hook(body, name="convostore_adapters"):
    return f"""
from convostore.plugins import hookimpl

@hookimpl
def {name}():
    {body}
"""


def refused(scheme, error=PluginError):
    with pytest.raises(error) as caught:
        adapter_for(scheme)
    return caught.value


def test_an_installed_plugin_serves_its_scheme(site):
    site.install("acme-good", {"good": GOOD})
    assert adapter_for("good").name == "good"
    with convostore.open("good://") as store:
        assert store.create_conversation(id="c").id == "c"


@pytest.mark.parametrize("name", ["memory", "echo"])
def test_the_memory_and_its_echo_are_built_in(site, name):
    assert adapter_for(name).name == name


def test_what_is_installed_is_listed_and_not_imported(site):
    site.install("acme-good", {"good": GOOD}, version="2.5")
    site.install("acme-broken", {"broken": BROKEN})
    listed = [(each.scheme, each.distribution, each.version) for each in installed()]
    assert listed == [
        ("broken", "acme-broken", "1.0"),
        ("echo", "convostore", "0.2.0"),
        ("good", "acme-good", "2.5"),
        ("memory", "convostore", "0.2.0"),
    ]
    assert not {"acme_good_good", "acme_broken_broken"} & set(sys.modules)


def test_opening_one_backend_imports_one_plugin(site):
    site.install("acme-good", {"good": GOOD})
    site.install("acme-other", {"other": GOOD.replace('"good"', '"other"')})
    adapter_for("good")
    assert "acme_good_good" in sys.modules
    assert "acme_other_other" not in sys.modules


def test_a_plugin_that_fails_to_import_is_a_named_and_chained_error_when_it_is_asked_for(site):
    site.install("acme-broken", {"broken": BROKEN}, version="3.1")
    error = refused("broken")
    assert "acme-broken 3.1" in str(error)
    assert "broken://" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_a_plugin_that_fails_to_import_spoils_no_other_scheme(site):
    site.install("acme-broken", {"broken": BROKEN})
    site.install("acme-good", {"good": GOOD})
    assert adapter_for("good").name == "good"
    assert adapter_for("memory").name == "memory"


def test_a_plugin_that_says_what_it_needs_is_quoted_and_nothing_else(site):
    needs = "from convostore.errors import ConfigError\n" + hook("raise ConfigError('run pip')")
    site.install("acme-needy", {"needy": needs})
    assert str(refused("needy", PluginError)) == "run pip"


@pytest.mark.parametrize(
    "source", ["raise ValueError('no')", "syntax error", "1 / 0", "raise AssertionError"]
)
def test_whatever_a_plugin_raises_on_import_is_chained(site, source):
    site.install("acme-broken", {"broken": source})
    assert refused("broken").__cause__ is not None


def test_a_plugin_that_fails_in_its_hook_is_a_named_and_chained_error(site):
    site.install("acme-late", {"late": hook("import a_module_that_nobody_has")})
    error = refused("late")
    assert "acme-late" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError)


def test_two_distributions_of_one_scheme_are_both_named(site):
    site.install("acme-good", {"good": GOOD})
    site.install("zeta-good", {"good": GOOD})
    error = refused("good")
    assert "acme-good" in str(error)
    assert "zeta-good" in str(error)
    assert "good://" in str(error)


def test_two_distributions_of_one_scheme_spoil_no_other_one(site):
    site.install("acme-good", {"good": GOOD})
    site.install("zeta-good", {"good": GOOD, "zeta": GOOD.replace('"good"', '"zeta"')})
    assert adapter_for("zeta").name == "zeta"


def test_a_distribution_that_is_found_twice_counts_once(site, tmp_path, monkeypatch):
    site.install("acme-good", {"good": GOOD})
    again = tmp_path / "again"
    again.mkdir()
    site.folder, first = again, site.folder
    site.install("Acme.Good", {"good": GOOD})
    monkeypatch.setattr(sys, "path", [str(first), str(again), *sys.path[1:]])
    assert adapter_for("good").name == "good"


def test_a_plugin_may_serve_several_schemes(site):
    both = GOOD.replace('return {"good": Good}', 'return {"one": Good, "two": Good}')
    site.install("acme-both", {"one": both, "two": both})
    assert adapter_for("one").name == adapter_for("two").name == "good"


@pytest.mark.parametrize("source", [GOOD, BROKEN], ids=["that loads", "that does not load"])
@pytest.mark.parametrize("needed", [">=99", "~=0.3.0", "~=0.1.0", "~=0.2.1"])
def test_a_plugin_that_needs_another_core_says_what_to_upgrade(site, source, needed):
    site.install("acme-new", {"good": source}, f"convostore{needed}")
    error = refused("good")
    assert "acme-new 1.0" in str(error)
    assert f"convostore{needed}, this is 0.2.0" in str(error)
    assert "pip install --upgrade convostore acme-new" in str(error)


@pytest.mark.parametrize(
    "requirement",
    [
        "convostore~=0.2.0",
        "convostore>=0.1,<1",
        "Convostore",
        "convostore>=99; python_version < '3'",
        "another>=99",
        "not a requirement !!",
    ],
)
def test_a_plugin_whose_needs_are_met_loads(site, requirement):
    site.install("acme-good", {"good": GOOD}, requirement)
    assert adapter_for("good").name == "good"


def test_an_unknown_scheme_lists_those_that_are_installed(site):
    site.install("acme-good", {"good": GOOD})
    site.install("acme-broken", {"broken": BROKEN})
    error = refused("nonsense", ConfigError)
    assert not isinstance(error, PluginError)
    assert "nonsense://" in str(error)
    assert "broken, echo, good, memory" in str(error)


def test_a_misspelt_scheme_gets_the_nearest_name(site):
    site.install("acme-good", {"good": GOOD})
    assert "did you mean good://?" in str(refused("goood", ConfigError))
    assert "did you mean perplexica://?" in str(refused("perplexika", ConfigError))


@pytest.mark.parametrize(
    ("scheme", "hint"),
    [
        ("postgres", "did you mean postgresql://?"),
        ("sqlite3", "did you mean sqlite://?"),
        ("file", "did you mean sqlite:///?"),
        ("http", "such as perplexica+http://"),
        ("https", "such as perplexica+https://"),
        ("openai", "openai is a model, which replies for a store: call open_answered"),
    ],
)
def test_a_natural_wrong_scheme_is_answered_with_what_is_meant(site, scheme, hint):
    assert str(refused(scheme, ConfigError)).endswith(hint)


@pytest.mark.parametrize("scheme", ["fastgpt", "perplexica", "sqlite", "postgresql", "gateway"])
def test_a_scheme_of_ours_that_is_not_installed_gets_its_pip_line(site, scheme):
    assert f'pip install "convostore[{scheme}]"' in str(refused(scheme, ConfigError))


@pytest.mark.parametrize(
    "source",
    [
        "",
        hook("return {}"),
        hook("return {'another': object}"),
        hook("return None"),
        hook("return 5"),
        hook("return {'empty': None}"),
        hook("return {'empty': 'Adapter'}"),
        hook("return {'empty': object}"),
    ],
    ids=[
        "no hook",
        "none",
        "of another scheme",
        "None",
        "no mapping",
        "no class",
        "text",
        "object",
    ],
)
def test_a_plugin_that_brings_no_adapter_says_so(site, source):
    site.install("acme-empty", {"empty": source})
    assert "empty://" in str(refused("empty"))


def test_a_hook_of_an_unknown_name_is_refused_by_its_name(site):
    site.install("acme-slip", {"slip": GOOD + hook("return {}", name="convostore_adaptors")})
    error = refused("slip")
    assert "acme-slip" in str(error)
    assert "convostore_adaptors" in str(error)


def test_a_module_that_is_not_there_is_a_named_error(site):
    site.install("acme-gone", {"gone": GOOD})
    (site.folder / "acme_gone_gone.py").unlink()
    assert "acme-gone" in str(refused("gone"))


@pytest.mark.rim
def test_finding_plugins_imports_none_of_them():
    code = (
        "import sys, convostore; store = convostore.open('memory://'); store.close();"
        "from convostore.plugins import installed; installed();"
        "print([name for name in sys.modules if name.startswith('convostore_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SPEAKING = """
from convostore.plugins import hookimpl

@hookimpl
def convostore_dialects():
    return {"spoken": "%s", "%s": "too"}
"""


def test_the_dialects_of_all_plugins_are_found(site):
    site.install("acme-good", {"good": GOOD})
    site.install("acme-one", {"one": SPEAKING % ("first", "a")})
    site.install("acme-two", {"two": SPEAKING % ("second", "b")})
    assert dialects() == ({"spoken": "first", "a": "too", "b": "too"}, ())


@pytest.mark.parametrize(
    "broken",
    [BROKEN, hook("return 5", "convostore_dialects"), hook("raise OSError", "convostore_dialects")],
)
def test_a_plugin_whose_dialects_do_not_load_is_told_of_beside_the_others(site, broken):
    site.install("acme-broken", {"broken": broken})
    site.install("acme-one", {"one": SPEAKING % ("first", "a")})
    found, failed = dialects()
    assert sorted(found) == ["a", "spoken"]
    (error,) = failed
    assert isinstance(error, PluginError)
    assert "acme-broken" in str(error)


def test_a_plugin_without_dialects_is_no_failure(site):
    site.install("acme-good", {"good": GOOD})
    assert dialects() == ({}, ())


# Models before a store

MODELS = """
from convostore.adapters import WrappedAdapter
from convostore.plugins import hookimpl

class Model(WrappedAdapter):
    def __init__(self, inner, **options):
        super().__init__(inner)
        self.given = options

@hookimpl
def convostore_models():
    return {"parrot": Model}
"""


def install_model(site, distribution, source, *requires):
    site.install(distribution, {"parrot": source}, *requires, group=MODELS_GROUP)


def refused_model(kind, error=PluginError):
    with pytest.raises(error) as caught:
        model_for(kind)
    return caught.value


def test_an_installed_plugin_puts_a_model_before_a_store(site):
    install_model(site, "acme-parrot", MODELS)
    adapter = adapter_for("memory")(DSN.parse("memory://"), None)
    wrapped = model_for("parrot")(adapter, url="http://x.test/v1", model="m")
    assert wrapped.inner is adapter
    assert wrapped.given == {"url": "http://x.test/v1", "model": "m"}


def test_a_plugin_of_models_is_no_backend(site):
    install_model(site, "acme-parrot", MODELS)
    assert "parrot" not in [each.scheme for each in installed()]
    refused("parrot", ConfigError)


def test_a_kind_of_ours_that_is_not_installed_gets_its_pip_line(site):
    assert 'pip install "convostore[openai]"' in str(refused_model("openai", ConfigError))


def test_an_unknown_kind_of_models_is_named(site):
    error = refused_model("nonsense", ConfigError)
    assert not isinstance(error, PluginError)
    assert "nonsense" in str(error)
    assert "pip install" not in str(error)


def test_two_distributions_of_one_kind_of_models_are_both_named(site):
    install_model(site, "acme-parrot", MODELS)
    install_model(site, "zeta-parrot", MODELS)
    error = refused_model("parrot")
    assert "acme-parrot" in str(error)
    assert "zeta-parrot" in str(error)


@pytest.mark.parametrize(
    "source",
    [BROKEN, "1 / 0", hook("import a_module_that_nobody_has", "convostore_models")],
    ids=["on import", "another error", "in its hook"],
)
def test_a_plugin_of_models_that_fails_is_a_named_and_chained_error(site, source):
    install_model(site, "acme-parrot", source)
    error = refused_model("parrot")
    assert "acme-parrot" in str(error)
    assert isinstance(error.__cause__, ModuleNotFoundError | ZeroDivisionError)


@pytest.mark.parametrize(
    "source",
    ["", hook("return {}", "convostore_models"), hook("return {'other': 5}", "convostore_models")],
    ids=["no hook", "none", "of another kind"],
)
def test_a_plugin_that_brings_no_models_says_so(site, source):
    install_model(site, "acme-parrot", source)
    error = refused_model("parrot")
    assert "acme-parrot" in str(error)
    assert "convostore_models()" in str(error)


@pytest.mark.parametrize(
    "returned", ["5", "None", "{'parrot': None}", "{'parrot': 'Model'}"], ids=str
)
def test_what_is_no_function_puts_no_model_before_a_store(site, returned):
    install_model(site, "acme-parrot", hook(f"return {returned}", "convostore_models"))
    assert "acme-parrot" in str(refused_model("parrot"))


def test_a_plugin_of_models_that_needs_a_newer_core_says_so(site):
    install_model(site, "acme-parrot", MODELS, "convostore>=99")
    assert "convostore>=99" in str(refused_model("parrot"))


def test_a_plugin_of_models_that_does_not_load_spoils_no_backend(site):
    install_model(site, "acme-parrot", BROKEN)
    site.install("acme-good", {"good": GOOD})
    assert adapter_for("good").name == "good"
