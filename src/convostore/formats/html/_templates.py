"""The templates of the HTML export and their style sheet.

Autoescaping is on: a template may mark nothing as safe but rendered Markdown. No
script, nothing that is loaded from elsewhere, and no logic beyond what is shown when.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark;
  --line: #d5d9df; --soft: #f4f5f7; --dim: #5c6470; --own: #eaf1fb; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4049; --soft: #22262c; --dim: #a0a8b3; --own: #1d2a3d; }
}
* { box-sizing: border-box; }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 48rem; margin: 0 auto; padding: 1rem;
  display: flex; flex-direction: column; overflow-wrap: anywhere; }
nav { order: -1; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.5rem; line-height: 1.25; }
.about, .when, .note { color: var(--dim); font-size: .875rem; }
section + section { border-top: 2px solid var(--line); margin-top: 2rem; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .25rem 1rem;
  margin: 1rem 0; }
article.user { background: var(--own); }
article > h2 { font-size: 1rem; margin: .5rem 0; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; white-space: pre-wrap; }
code { font: .875em/1.5 ui-monospace, monospace; background: var(--soft); }
blockquote { border-left: 3px solid var(--line); margin-left: 0; padding-left: 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: start; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--dim); }
.sources { font-size: .875rem; }
sup a { text-decoration: none; padding: 0 .1em; }
@media print {
  body { max-width: none; padding: 0; }
  article { break-inside: auto; border-color: #999; }
  h1, h2 { break-after: avoid; }
  nav { break-after: page; }
  details::details-content { display: block; content-visibility: visible; }
  .sources a::after { content: " (" attr(href) ")"; }
}
"""

TEMPLATES: Final = {
    "start": """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<meta name="generator" content="convostore">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
""",
    "conversation": """\
{%- from "parts" import file, problems, when -%}
<section id="c{{ number }}">
<header>
<h1 dir="auto">{{ conversation.title or "Untitled" }}</h1>
<p class="about"><code>{{ conversation.id }}</code>
{%- if conversation.origin %} · copied from {{ conversation.origin.store }},
<code>{{ conversation.origin.conversation_id }}</code>{% endif %}
{%- if conversation.created_at %} · started {{ when(conversation.created_at) }}{% endif %}
{%- if conversation.updated_at %} · last changed {{ when(conversation.updated_at) }}{% endif %}
{%- if conversation.pinned %} · pinned{% endif %}</p>
{% for each in conversation.files %}{{ file(each) }}
{% endfor %}{{ problems(conversation.problems) -}}
</header>
""",
    "message": """\
{%- from "parts" import part, problems, source, when -%}
<article class="{{ message.role }}">
<h2>{{ role }}
<span class="when">{% if message.created_at %}{{ when(message.created_at) }}{% endif %}
{%- if message.model %} · {{ message.model }}{% endif %}
{%- if message.status not in (none, "complete") %} · {{ message.status }}{% endif %}</span></h2>
{% for each, body in parts -%}
{{ part(each, body) }}
{% endfor -%}
{% if message.feedback -%}
<p class="note">Rated {{ message.feedback.rating }}
{%- if message.feedback.comment %}: {{ message.feedback.comment }}{% endif %}</p>
{% endif -%}
{% if noted -%}
<ol class="sources" start="{{ noted[0][0] }}">
{% for number, each in noted -%}
<li id="s{{ number }}" dir="auto">{{ source(each) }}</li>
{% endfor -%}
</ol>
{% endif -%}
{% if rest -%}
<ul class="sources">
{% for each in rest -%}
<li dir="auto">{{ source(each) }}</li>
{% endfor -%}
</ul>
{% endif -%}
{{ problems(message.problems) -}}
</article>
""",
    "end": """\
{% if contents|length > 1 -%}
<nav><h1>Conversations</h1>
<ol>
{% for number, title in contents -%}
<li dir="auto"><a href="#c{{ number }}">{{ title }}</a></li>
{% endfor -%}
</ol></nav>
{% endif -%}
</body>
</html>
""",
}
"""Templates by name; the contents come last, when they are known, and the style moves them up."""
