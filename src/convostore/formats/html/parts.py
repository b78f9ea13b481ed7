"""Parts of a message and their sources as HTML: shared by the exported page and a viewer.

Autoescaping is on: a template may mark nothing as safe but rendered Markdown. Pages, with their
styles and what surrounds a message, are not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from ... import serialization
from ...models import Message, Part, ReasoningPart, TextPart
from ..citations import Citing, Span
from ..text import printable, safe_link, shortened, time_text
from .markdown import REL, missing

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment
    from markupsafe import Markup

__all__ = ["Render", "bodies", "document_environment"]

Render: TypeAlias = Callable[[str, Sequence[Span]], str]
"""A function that renders a text and its citations as safe HTML."""

_PARTS: Final = """\
{%- macro link(name, url, followed) -%}
{%- if followed -%}
<a href="{{ followed }}" rel="{{ rel }}"{{ apart }}>{{ name or url }}</a>
{%- else -%}
{{ name or "" }}{% if url %} <code>{{ url }}</code>{% elif not name %}(unnamed){% endif %}
{%- endif -%}
{%- endmacro -%}
{%- macro when(time) -%}
<time datetime="{{ time.isoformat() }}">{{ time|time_text }}</time>
{%- endmacro -%}
{%- macro file(part) -%}
<p class="file" dir="auto">File: {{ link(part.name, part.url, part.url|safe_link) }}
{%- if part.media_type %} <span class="note">{{ part.media_type }}</span>{% endif %}</p>
{%- endmacro -%}
{%- macro source(each) -%}
{{ link(each.title, each.url, each.url|safe_link) }}
{%- if each.content %} <span class="note">{{ each.content|shortened }}</span>{% endif %}
{%- endmacro -%}
{%- macro problems(several) -%}
{%- for each in several %}<p class="note">Unreadable: {{ each.where }} {{ each.what }}</p>
{% endfor -%}
{%- endmacro -%}
{%- macro part(part, body) -%}
{%- if part.kind == "text" -%}
<div dir="auto" lang="">{{ body }}</div>
{% elif part.kind == "reasoning" -%}
<details><summary>Reasoning</summary><div dir="auto" lang="">{{ body }}</div></details>
{% elif part.kind == "tool_call" -%}
<details open><summary>Tool call <code>{{ part.name }}</code></summary>
<pre>{{ part.arguments|printable }}</pre></details>
{% elif part.kind == "tool_result" -%}
<details><summary>Tool result</summary><pre>{{ part.content|printable }}</pre></details>
{% elif part.kind == "file" -%}
{{ file(part) }}
{% elif part.kind == "interaction" -%}
<div class="asked" dir="auto"><p>Asked: {{ part.prompt or part.type }}
{%- if not part.answered %} <span class="note">not answered</span>{% endif %}</p>
<ul>
{% for option in part.options -%}
<li>{{ option.label or option.value }}
{%- if part.answered and option.value == part.answer %} <strong>✓ chosen</strong>{% endif %}</li>
{% endfor -%}
{% for each in part.fields -%}
<li>{{ each.label or each.key }}
{%- if each.value is not none %}: <code>{{ each.value|json }}</code>{% endif %}</li>
{% endfor -%}
{% if part.answered and part.answer and not part.options %}<li>{{ part.answer }}</li>{% endif -%}
</ul></div>
{% else -%}
<details><summary>Other <code>{{ part.type or "" }}</code></summary>
<pre>{{ part.data|json }}</pre></details>
{% endif -%}
{%- endmacro -%}
"""


def document_environment(loader: BaseLoader, *, new_tab: bool = False) -> Environment:
    """Return a Jinja environment whose templates may import the macros of ``"parts"``.

    Args:
        loader: The templates of the document.
        new_tab: Whether links to elsewhere open in a new tab.

    Raises:
        ConfigError: Jinja is not installed.
    """
    try:
        from jinja2 import ChoiceLoader, DictLoader, Environment, StrictUndefined
    except ImportError as error:
        raise missing() from error
    environment = Environment(
        loader=ChoiceLoader([DictLoader({"parts": _PARTS}), loader]),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {"rel": REL, "apart": safe(' target="_blank"' if new_tab else "")}
    environment.filters |= {
        "safe_link": safe_link,
        "shortened": shortened,
        "time_text": time_text,
        "printable": printable,
        "json": serialization.to_json,
    }
    return environment


def bodies(
    message: Message, citing: Citing, render: Render
) -> Iterator[tuple[Part, Markup | None]]:
    """Yield the parts of a message, those that are Markdown with their HTML."""
    spans = citing.texts(message)
    for part in message.parts:
        if isinstance(part, TextPart):
            yield part, safe(render(part.text, next(spans)))
        elif isinstance(part, ReasoningPart):
            yield part, safe(render(part.text, ()))
        else:
            yield part, None


def safe(html: str) -> Markup:
    """Mark HTML as safe: our own, or the result of `render_text`."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704  # the one place that trusts HTML
