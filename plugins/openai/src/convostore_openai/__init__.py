"""The plugin of OpenAI-compatible models, which reply in any store that can create and append.

Only its hook and its public names are here; the names load on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from convostore.plugins import ModelWrapper, hookimpl, lazy_attributes

if TYPE_CHECKING:
    from .adapter import ModelAdapter, aopen_answered, open_answered
    from .options import ModelOptions, ModelReplyOptions

__all__ = ["ModelAdapter", "ModelOptions", "ModelReplyOptions", "aopen_answered", "open_answered"]

if not TYPE_CHECKING:  # type checkers would take any name for one that is there
    __getattr__ = lazy_attributes(
        __name__,
        {
            "ModelAdapter": "adapter",
            "ModelOptions": "options",
            "ModelReplyOptions": "options",
            "aopen_answered": "adapter",
            "open_answered": "adapter",
        },
    )


@hookimpl
def convostore_models() -> Mapping[str, ModelWrapper]:
    from .adapter import with_model

    return {"openai": with_model}
