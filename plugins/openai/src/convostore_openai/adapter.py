"""A store whose replies a model makes: a wrapped adapter of a store that can create and append.

Questions and answers are stored like all other messages, so that a turn is found again by its id.
No path and no field of the model's API may be known here.
"""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import SecretStr

from convostore.adapters import (
    Adapter,
    AsyncTransport,
    Operation,
    Stream,
    Transport,
    Turn,
    WrappedAdapter,
    validate_options,
)
from convostore.config import open_adapter
from convostore.errors import ConfigError, StoreError
from convostore.models import Reply
from convostore.store import AsyncConversationStore, ConversationStore

from .options import ModelOptions, ModelReplyOptions
from .service import ModelService, Question, ajoined, joined
from .turns import AnyFlow, Turns

_NEEDED: Final = (Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
_BY_MODEL: Final = frozenset({Operation.REPLY, Operation.STREAM_REPLY, Operation.GET_REPLY})
_BY_STORE: Final = frozenset({Operation.ANSWER, Operation.STREAM_ANSWER, Operation.RESUME_REPLY})
"""The operations that continue replies of the store itself; here it makes none."""


class ModelAdapter(WrappedAdapter):
    """The adapter of a store whose replies a model makes; all else is the store's.

    Args:
        store: The store's adapter.
        options: Where the model is.

    Raises:
        ConfigError: The store cannot create conversations and append messages.
    """

    Options = ModelOptions
    ReplyOptions = ModelReplyOptions

    def __init__(self, store: Adapter, options: ModelOptions) -> None:
        super().__init__(store)
        missing = [operation.value for operation in _NEEDED if operation not in store.offers]
        if missing:
            raise ConfigError(
                f"a model needs a store that offers {' and '.join(missing)}, which {store.label} "
                "does not: mirror it into your own, such as sqlite:///chats.db"
            )
        self.options = options
        self._model = ModelService(options)
        self._turns = Turns(store, self._model, options)

    @property
    def offers(self) -> frozenset[Operation]:  # type: ignore[override]
        return (self.inner.offers - _BY_STORE) | _BY_MODEL

    def transport(self) -> Transport:
        return joined(self.inner, self._model)

    def async_transport(self) -> AsyncTransport:
        return ajoined(self.inner, self._model)

    def failure(self, request: Any, reply: Any) -> StoreError | None:
        if isinstance(request, Question):
            return self._model.failure(request.request, reply)
        return self.inner.failure(request, reply)

    def redact(self, error: StoreError) -> None:
        self.inner.redact(error)
        self._model.redact(error)

    def rewrapped(self, inner: Adapter) -> Self:
        """Return this adapter over another namespace of the store, with the same model."""
        copied = super().rewrapped(inner)
        copied.options = self.options
        copied._turns = Turns(inner, self._model, self.options)  # noqa: SLF001  # of this class
        return copied

    # Replies; a whole one is streamed by the store.

    reply = Adapter.reply
    answer = Adapter.answer
    stream_answer = Adapter.stream_answer
    resume_reply = Adapter.resume_reply

    def stream_reply(self, turn: Turn) -> AnyFlow[Stream]:
        return self._turns.stream(turn)

    def get_reply(self, conversation_id: str, turn_id: str) -> AnyFlow[Reply]:
        return self._turns.get(conversation_id, turn_id)


def open_answered(
    target: str | Adapter,
    model_url: str,
    *,
    namespace: str | None = None,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    **options: object,
) -> ConversationStore:
    """Open a store whose replies a model makes; no request is sent yet.

    Args:
        target: A DSN, the name of a profile, or an adapter.
        model_url: The base address of an OpenAI-compatible API, such as
            ``http://localhost:11434/v1``.
        namespace: A namespace of the target; for several of them, open the store once and call
            `with_namespace` for each.
        model: The model of every turn; None leaves the choice to the turns.
        api_key: Sent to the model's server.
        **options: Others of `ModelOptions`; those of the store belong in its DSN.

    Raises:
        ConfigError: The target or an option is wrong, or the store cannot create and append.
        PluginError: The store's plugin is installed but did not load.
    """
    adapter = with_model(
        _adapter(target, namespace), url=model_url, model=model, api_key=api_key, **options
    )
    return ConversationStore(adapter, adapter.transport())


def aopen_answered(
    target: str | Adapter,
    model_url: str,
    *,
    namespace: str | None = None,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    **options: object,
) -> AsyncConversationStore:
    """Open a store as `open_answered` does, for asyncio; a plain call, not awaited."""
    adapter = with_model(
        _adapter(target, namespace), url=model_url, model=model, api_key=api_key, **options
    )
    return AsyncConversationStore(adapter, adapter.async_transport())


def with_model(adapter: Adapter, **options: object) -> Adapter:
    """Wrap the adapter of a store in one whose replies a model makes.

    Args:
        adapter: The store's.
        **options: Those of `ModelOptions`.

    Raises:
        ConfigError: An option is wrong, or the store cannot create and append.
    """
    checked = validate_options(
        ModelOptions, options, lambda complaint: ConfigError(f"upstream: {complaint}")
    )
    return ModelAdapter(adapter, checked)


def _adapter(target: str | Adapter, namespace: str | None) -> Adapter:
    options = {} if namespace is None else {"namespace": namespace}
    if isinstance(target, str):
        return open_adapter(target, **options)
    if options:
        raise ConfigError(
            "namespace must not be given with an adapter: pass it when you open the adapter"
        )
    return target
