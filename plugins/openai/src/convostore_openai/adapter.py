"""A store that a model answers: any adapter that can create and append, and a model beside it.

What is asked and what is answered is stored in the store like all else, so that a turn is found
again by its id. No path and no field of the model's API here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from convostore.adapters import (
    Adapter,
    AsyncTransport,
    Operation,
    Stream,
    Transport,
    Turn,
    validate_options,
)
from convostore.config import open_adapter
from convostore.errors import ConfigError, StoreError
from convostore.models import Conversation, Listing, Message, Page, Reply, Transcript
from convostore.store import AsyncConversationStore, ConversationStore

from .options import ModelOptions, ModelReplyOptions
from .service import ModelService, Question, ajoined, joined
from .turns import AnyFlow, Turns

T = TypeVar("T")

_NEEDED: Final = (Operation.CREATE_CONVERSATION, Operation.APPEND_MESSAGES)
_ANSWERED: Final = frozenset({Operation.REPLY, Operation.STREAM_REPLY, Operation.GET_REPLY})
_OF_THE_STORES_OWN: Final = frozenset(
    {Operation.ANSWER, Operation.STREAM_ANSWER, Operation.RESUME_REPLY}
)
"""What goes on with replies that the store made itself: there are none."""


class ModelAdapter(Adapter):
    """A store's adapter, which answers as well: by a model.

    Args:
        store: Whose operations all others are.
        options: Where the model is asked.

    Raises:
        ConfigError: The store cannot create conversations and append messages.
    """

    Options = ModelOptions
    ReplyOptions = ModelReplyOptions

    def __init__(self, store: Adapter, options: ModelOptions) -> None:
        super().__init__(store.dsn, options)
        missing = [each.value for each in _NEEDED if each not in store.offers]
        if missing:
            raise ConfigError(
                f"{store.label} cannot be answered by a model, which needs a store that offers "
                f"{' and '.join(missing)}: mirror it into one of your own, such as sqlite:///"
            )
        self._store = store
        self._model = ModelService(options)
        self._turns = Turns(store, self._model, options)
        vars(self)["name"] = store.name  # for errors and cursors it is the same store
        self.traits = store.traits
        self.offers = (store.offers - _OF_THE_STORES_OWN) | _ANSWERED

    @property
    def label(self) -> str:
        return self._store.label

    def transport(self) -> Transport:
        return joined(self._store, self._model)

    def async_transport(self) -> AsyncTransport:
        return ajoined(self._store, self._model)

    def wrap(self, flow: AnyFlow[T]) -> AnyFlow[T]:
        return self._store.wrap(flow)

    def failure(self, request: Any, reply: Any) -> StoreError | None:
        if isinstance(request, Question):
            return self._model.failure(request.request, reply)
        return self._store.failure(request, reply)

    def redact(self, error: StoreError) -> None:
        self._store.redact(error)
        self._model.redact(error)

    def new_conversation_id(self) -> str:
        return self._store.new_conversation_id()

    def new_turn_id(self) -> str:
        return self._store.new_turn_id()

    # What is abstract in an adapter; all other operations follow the class.

    def list_conversations(self, listing: Listing) -> AnyFlow[Page[Conversation]]:
        return self._store.list_conversations(listing)

    def get_conversation(self, conversation_id: str) -> AnyFlow[Conversation]:
        return self._store.get_conversation(conversation_id)

    def list_messages(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[Message]]:
        return self._store.list_messages(conversation_id, listing)

    def messages_as_json(self, conversation_id: str, listing: Listing) -> AnyFlow[Page[str]]:
        return self._store.messages_as_json(conversation_id, listing)

    def read_transcript(
        self, conversation_id: str, known: Conversation | None = None
    ) -> AnyFlow[Transcript]:
        return self._store.read_transcript(conversation_id, known)

    # Answering

    def stream_reply(self, turn: Turn) -> AnyFlow[Stream]:
        return self._turns.stream(turn)

    def get_reply(self, conversation_id: str, turn_id: str) -> AnyFlow[Reply]:
        return self._turns.get(conversation_id, turn_id)


def _delegated(operation: Operation) -> Callable[..., AnyFlow[Any]]:
    def delegated(self: ModelAdapter, *args: Any, **options: Any) -> AnyFlow[Any]:
        flow: AnyFlow[Any] = getattr(self._store, operation.value)(*args, **options)
        return flow

    return delegated


for _operation in Operation:
    if _operation not in _ANSWERED | _OF_THE_STORES_OWN | vars(ModelAdapter).keys():
        setattr(ModelAdapter, _operation.value, _delegated(_operation))


def open_answered(
    target: str | Adapter,
    model_url: str,
    *,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    **options: object,
) -> ConversationStore:
    """Opens a store that a model answers; nothing is asked yet.

    Args:
        target: A DSN, the name of a profile, or an adapter.
        model_url: The base address of an API that is OpenAI's, such as
            ``http://localhost:11434/v1``.
        model: The model of every turn; None leaves it to the turns.
        api_key: Sent to the model's server.
        **options: Others of `ModelOptions`; those of the store stand in its DSN.

    Raises:
        ConfigError: The target or an option is wrong, or the store cannot create and append.
        PluginError: The store's plugin is installed but did not load.
    """
    adapter = with_model(_adapter(target), url=model_url, model=model, api_key=api_key, **options)
    return ConversationStore(adapter, adapter.transport())


def aopen_answered(
    target: str | Adapter,
    model_url: str,
    *,
    model: str | None = None,
    api_key: str | SecretStr | None = None,
    **options: object,
) -> AsyncConversationStore:
    """As `open_answered`, for asyncio: a plain call."""
    adapter = with_model(_adapter(target), url=model_url, model=model, api_key=api_key, **options)
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


def _adapter(target: str | Adapter) -> Adapter:
    return open_adapter(target) if isinstance(target, str) else target
