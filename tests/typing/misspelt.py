"""A misspelt name of a package whose names load on use is an error to a type checker.

With strict checking an ignored line that is no error is one itself.
"""

from convostore import Mesage as Mesage  # type: ignore[attr-defined]
from convostore.adapters import Adaptor as Adaptor  # type: ignore[attr-defined]
from convostore.models import Conversatoin as Conversatoin  # type: ignore[attr-defined]
from convostore.store import ReplySteram as ReplySteram  # type: ignore[attr-defined]
from convostore.testing import StoreContrat as StoreContrat  # type: ignore[attr-defined]
from convostore_fastgpt import FastGTP as FastGTP  # type: ignore[attr-defined]
from convostore_gateway import createapp as createapp  # type: ignore[attr-defined]
from convostore_openai import open_answerd as open_answerd  # type: ignore[attr-defined]
from convostore_perplexica import Perplexity as Perplexity  # type: ignore[attr-defined]
