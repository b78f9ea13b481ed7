"""The served stores, from which each request gets one, by namespace.

No HTTP here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from convostore.dialects import AbsentScopeError
from convostore.errors import ForbiddenError, NotFoundError
from convostore.store import AsyncConversationStore

from .auth import Access, Grant, read_only_view
from .limits import Limits

_SCOPE = re.compile(r"[\w.:-]{1,64}")


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The served stores and who may reach which.

    Attributes:
        stores: The stores by namespace; the empty one serves requests that name none.
        views: Further namespaces, over the connections of those stores.
        scopes: Namespaces by the scope that a request names (FastGPT's `appId`). When empty, the
            scopes of requests are ignored.
    """

    stores: Mapping[str, AsyncConversationStore]
    access: Access
    views: Mapping[str, AsyncConversationStore] = field(default_factory=dict)
    scopes: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def store(self, credentials: Sequence[str], scope: str | None = None) -> AsyncConversationStore:
        """Return the store of a request.

        Raises:
            AuthError: The request has no accepted token.
            ForbiddenError: The token does not reach the scope.
            AbsentScopeError: The scope is not served.
        """
        return self.store_of(self.access.grant(credentials), scope)

    def store_of(self, grant: Grant, scope: str | None = None) -> AsyncConversationStore:
        """Return the store that a grant reaches.

        Raises:
            ForbiddenError: The grant does not reach the scope.
            AbsentScopeError: The scope is not served.
        """
        namespace = grant.namespace
        if self.scopes and scope is not None:
            if scope not in self.scopes:
                raise AbsentScopeError(f"{_printable(scope)} is not served")
            target = self.scopes[scope]
            if namespace not in {None, target}:
                raise ForbiddenError(f"this token does not reach {_printable(scope)}")
            namespace = target
        name = namespace or ""
        store = self.stores.get(name) or self.views.get(name)
        if store is None:
            raise NotFoundError("the namespace of this token is not served")
        return store if grant.may_write else read_only_view(store)


def _printable(scope: str) -> str:
    """Return a scope as messages may quote it."""
    return repr(scope) if _SCOPE.fullmatch(scope) else "the scope of the request"


def public_name(label: str) -> str:
    """Return a store's label for other people: of a file, without its folders."""
    return re.sub(r"^([\w+.-]+:///).*[/\\]", r"\1", label)
