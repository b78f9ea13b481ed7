"""What is served: stores by namespace, and which of them a request gets.

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
    """Stores, and who may reach which.

    Attributes:
        stores: By namespace; the empty one is what a request gets that names none.
        scopes: By what requests name (FastGPT's `appId`), the namespace that it stands for. When
            empty, what they name makes no difference.
    """

    stores: Mapping[str, AsyncConversationStore]
    access: Access
    scopes: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def store(self, credentials: Sequence[str], scope: str | None = None) -> AsyncConversationStore:
        """The store of a request.

        Raises:
            AuthError: It brings no token that is accepted.
            ForbiddenError: Its token does not reach what it names.
            AbsentScopeError: It names what is not served.
        """
        return self.store_of(self.access.grant(credentials), scope)

    def store_of(self, grant: Grant, scope: str | None = None) -> AsyncConversationStore:
        """The store that a grant reaches.

        Raises:
            ForbiddenError: It does not reach what the request names.
            AbsentScopeError: The request names what is not served.
        """
        namespace = grant.namespace
        if self.scopes and scope is not None:
            if scope not in self.scopes:
                raise AbsentScopeError(f"{_shown(scope)} is not served here")
            wanted = self.scopes[scope]
            if namespace not in {None, wanted}:
                raise ForbiddenError(f"this token does not reach {_shown(scope)}")
            namespace = wanted
        store = self.stores.get(namespace or "")
        if store is None:
            raise NotFoundError("the namespace of this token is not served here")
        return store if grant.may_write else read_only_view(store)


def _shown(scope: str) -> str:
    """What a request named, where it is fit to be repeated."""
    return repr(scope) if _SCOPE.fullmatch(scope) else "what the request names"


def public_name(label: str) -> str:
    """What a store is called where others read it: its label, of a file without the folders."""
    return re.sub(r"^([\w+.-]+:///).*[/\\]", r"\1", label)
