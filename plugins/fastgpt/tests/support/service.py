"""A stateful stand-in of FastGPT's history, record and feedback API, built from the contract.

It speaks as any of `GENERATIONS`. Of each the paths, the spellings of share links, the ways to
delete and the refusals are those of the contract; chats and apps are as few as the tests need. Its
clock ticks with each write, and only then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from convostore.http import Request, Response
from convostore.models import Transcript
from convostore.testing.samples import START
from convostore.testing.transports import Service

from . import apps

Row = dict[str, Any]

JSON_TYPE = {"content-type": "application/json; charset=utf-8"}
HTML_TYPE = {"content-type": "text/html; charset=utf-8"}
PAGE = b"<!DOCTYPE html><html><head><title>404</title></head><body>page shortened</body></html>"

ROOT = "/api/core/chat/"
AGENT = "/api/core/ai/agent/"
COMPLETIONS = ("/api/v1/chat/completions", "/api/v2/chat/completions")
APP = "65f000000000000000000010"
FOREIGN_APP = "65f00000000000000000001f"
KEY = "fastgpt-key4711"
SHARE = "share-abc"
UID = "u-9"
OPTIONS: Mapping[str, object] = {"app_id": APP, "api_key": KEY}
SHARED: Mapping[str, object] = {"share_id": SHARE, "outlink_uid": UID}

SOURCES = ("test", "online", "share", "api", "cronJob", "feishu", "official_account", "wecom")
_OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")
_HISTORY = ("getHistories", "updateHistory", "delHistory", "clearHistories")
_RECORD = ("getPaginationRecords", "getResData")


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What one span of versions does in its own way.

    Attributes:
        new_paths: ``history/…`` and ``record/…`` are there, beside the old ones.
        deletes_at: The path that deletes one record, and where it reads what to delete.
        soft: Deleted things are hidden, not gone.
        validates: The paths whose parameters are checked against a schema.
        mapped: The HTTP status of a refusal follows its code, for those that are statuses.
        status: ``history/getHistoryStatus`` is there, and its fields in lists.
        shared_data_id: A question and its answer have one ``dataId``.
        nested_share: A share link is told in ``outLinkAuthData``, not by two fields of their own.
        lenient: The list of another's app, or of none, is an empty one.
        forms_by_key: A form's answer is read by the fields' keys, not by their labels.
        one_at_a_time: A chat that an answer is made in takes no other turn.
        details_last: The nodes of a run stand behind the stream's end mark.
    """

    new_paths: bool
    deletes_at: str
    deletes_by: tuple[str, ...]
    soft: bool = True
    validates: tuple[str, ...] = ()
    mapped: bool = False
    status: bool = False
    shared_data_id: bool = False
    nested_share: bool = False
    lenient: bool = False
    forms_by_key: bool = True
    one_at_a_time: bool = False
    details_last: bool = False


_FIRST_CHECKED = (*_HISTORY, "updateUserFeedback")
_ALL_CHECKED = (*_FIRST_CHECKED, *_RECORD, "getHistoryStatus", "delete")

GENERATIONS = {
    "4.9": Generation(
        new_paths=False,
        deletes_at="item/delete",
        deletes_by=("query",),
        soft=False,
        lenient=True,
        forms_by_key=False,
        details_last=True,
    ),
    "4.14.5": Generation(
        new_paths=True,
        deletes_at="item/delete",
        deletes_by=("body",),
        validates=_FIRST_CHECKED,
        details_last=True,
    ),
    "4.14.11": Generation(
        new_paths=True,
        deletes_at="record/delete",
        deletes_by=("query",),
        validates=(*_ALL_CHECKED, "completions"),
        mapped=True,
        status=True,
        one_at_a_time=True,
    ),
    "4.16": Generation(
        new_paths=True,
        deletes_at="record/delete",
        deletes_by=("query", "body"),
        validates=(*_ALL_CHECKED, "completions", "init", "createQuestionGuide"),
        mapped=True,
        status=True,
        one_at_a_time=True,
        shared_data_id=True,
        nested_share=True,
    ),
}


class Refusal(Exception):  # noqa: N818  # what the service says no with
    """An error body."""

    def __init__(self, code: int, status_text: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.code = code
        body = {"code": code, "statusText": status_text, "message": message, "data": None}
        self.body: Row = body | more


def un_authorization() -> Refusal:
    return Refusal(403, "unAuthorization", "common:code_error.error_message.403")


def un_auth_api_key() -> Refusal:
    return Refusal(514, "unAuthApiKey", "common:code_error.error_message.514")


def un_auth_app() -> Refusal:
    return Refusal(502001, "unAuthApp", "common:code_error.app_error.un_auth_app")


def app_un_exist() -> Refusal:
    return Refusal(502000, "appUnExist", "common:code_error.app_error.not_exist")


def un_auth_chat() -> Refusal:
    return Refusal(504000, "unAuthChat", "common:code_error.chat_error.un_auth")


def link_un_invalid() -> Refusal:
    return Refusal(501, "linkUnInvalid", "common:code_error.outlink_error.invalid_link")


def chat_is_generating() -> Refusal:
    return Refusal(504001, "chatIsGenerating", "common:code_error.chat_error.chat_generating")


def missing_params() -> Refusal:
    return Refusal(507004, "missingParams", "common:error.missingParams")


def invalid(*where: str, message: str = "Invalid input") -> Refusal:
    fault = {"code": "custom", "path": list(where), "message": message}
    return Refusal(400, "error", "Data validation error", zodError=[fault])


def thrown(message: str) -> Refusal:
    return Refusal(500, "error", message)


@dataclass
class Chat:
    """A session with its records, the oldest first.

    Attributes:
        owner: The member, or the user of a share link, that it belongs to.
        generating: Whether an answer is being made in it.
        lag: How often its records are yet read before the last answer is among them, or whole.
    """

    chat_id: str
    number: int
    updated: datetime
    title: str = ""
    custom_title: str = ""
    top: bool = False
    source: str = "api"
    owner: str = "me"
    deleted: bool = False
    records: list[Row] = field(default_factory=list)
    variables: Row = field(default_factory=dict)
    generating: bool = False
    lag: int = 0


@dataclass(frozen=True)
class Call:
    """One request as a handler sees it.

    Attributes:
        params: Its parameters, wherever they stood.
        owner: Who asks; a member's name, or a share link's user.
        shared: Whether by a share link.
    """

    body: Row
    query: Row
    params: Row
    owner: str = ""
    shared: bool = False


class FastGPTService:
    """Answers as a real program of one generation does.

    Attributes:
        exchanges: What was asked and answered, in turn.
        tick: How far the clock goes with each write; nothing of it makes equal times.
        lag: What each turn makes its chat's `lag`.
    """

    def __init__(self, generation: str) -> None:
        self.generation = GENERATIONS[generation]
        self.exchanges: list[tuple[Request, Response]] = []
        self.tick = timedelta(milliseconds=1)
        self.lag = 0
        self._now = START
        self._made = 0
        self.chats: dict[str, Chat] = {}
        self._handlers = dict(self._routes())

    def _routes(self) -> Iterable[tuple[str, tuple[str, Callable[[Call], Any]]]]:
        for folder, names in (("history/", _HISTORY), ("record/", _RECORD)):
            for name in names:
                handler = getattr(self, f"_{_snake(name)}")
                yield name, (name, handler)
                if self.generation.new_paths:
                    yield folder + name, (name, handler)
        yield "feedback/updateUserFeedback", ("updateUserFeedback", self._update_user_feedback)
        yield self.generation.deletes_at, ("delete", self._delete)
        if self.generation.status:
            yield "history/getHistoryStatus", ("getHistoryStatus", self._get_history_status)
        yield "init", ("init", self._init)
        yield f"{AGENT}createQuestionGuide", ("messages", self._questions_by_messages)
        yield f"{AGENT}v2/createQuestionGuide", ("createQuestionGuide", self._questions_by_id)

    # What tests put in and move about

    def seed(self, transcripts: Sequence[Transcript]) -> None:
        for transcript in transcripts:
            assert transcript.conversation is not None
            self.insert(transcript.conversation_id, title=transcript.conversation.title or "")
            for message in transcript.messages:
                self.append(
                    transcript.conversation_id, message.role, message.text, message.created_at
                )

    def insert(self, chat_id: str, **fields: Any) -> Chat:
        self._made += 1
        chat = Chat(chat_id, self._made, self._tick(), **fields)
        self.chats[chat_id] = chat
        return chat

    def append(self, chat_id: str, role: str, text: str, time: datetime | None = None) -> Row:
        chat = self.chats[chat_id]
        self._made += 1
        answers = role == "assistant"
        before = chat.records[-1] if chat.records else None
        row: Row = {
            "_id": f"{self._made:024x}",
            "dataId": f"d{self._made:023}",
            "obj": "AI" if answers else "Human",
            "value": [{"type": "text", "text": {"content": text}}],
            "time": _iso(time or self._now),
            "hideInUI": False,
        }
        if self.generation.shared_data_id and answers and before and before["obj"] == "Human":
            row["dataId"] = before["dataId"]
        chat.records.append(row)
        return row

    def touch(self, chat_id: str) -> None:
        """Do to a chat's place what any write to it does."""
        self.chats[chat_id].updated = self._tick()

    def pin(self, chat_id: str, top: bool) -> None:
        self.chats[chat_id].top = top
        self.touch(chat_id)

    def remove(self, chat_id: str) -> None:
        if self.generation.soft:
            self.chats[chat_id].deleted = True
        else:
            del self.chats[chat_id]

    def erase(self, chat_id: str, row: Row) -> None:
        """Delete a record, and the other half of its turn where the two share an id."""
        chat = self.chats[chat_id]
        chat.records = [record for record in chat.records if record["dataId"] != row["dataId"]]

    def wait(self) -> None:
        """Let time go by: what is written from now on is newer than all before."""
        self._now += timedelta(seconds=1)

    def shown(self) -> list[str]:
        """Return the ids of the member's API chats, in the order of the list."""
        return [row.chat_id for row in self._listed("me") if row.source == "api"]

    def _listed(self, owner: str) -> list[Chat]:
        """Return the chats of an owner, sorted; of equals the last created one first."""
        chats = [chat for chat in self.chats.values() if chat.owner == owner and not chat.deleted]
        return sorted(chats, key=lambda chat: (chat.top, chat.updated, chat.number), reverse=True)

    def _tick(self) -> datetime:
        self._now += self.tick
        return self._now

    # Requests

    def handle(self, request: Request) -> Response:
        """Answer a client with the key; share links are recognised by their fields."""
        return self._answered(request, f"Bearer {KEY}")

    def keyless(self, request: Request) -> Response:
        """Answer a client without a key."""
        return self._answered(request, None)

    def as_seen_with(self, authorization: str | None) -> Service:
        """Return the service for clients that send this header."""
        return lambda request: self._answered(request, authorization)

    def _answered(self, request: Request, authorization: str | None) -> Response:
        handler = self._handlers.get(request.path.removeprefix(ROOT))
        if request.path in COMPLETIONS:
            response = self._completed(request, authorization)
        elif handler is None:
            response = Response(404, HTML_TYPE, PAGE)
        else:
            try:
                data = handler[1](self._parse_call(handler[0], request, authorization))
                response = _reply(200, {"code": 200, "statusText": "", "message": "", "data": data})
            except Refusal as refusal:
                response = self.refused(refusal)
        self.exchanges.append((request, response))
        return response

    def refused(self, refusal: Refusal) -> Response:
        """Return a refusal, with the HTTP status that this generation gives it."""
        follows = self.generation.mapped and refusal.code in {400, 403, 404, 413, 429}
        return _reply(refusal.code if follows else 500, refusal.body)

    def _parse_call(self, name: str, request: Request, authorization: str | None) -> Call:
        body: Row = request.json if isinstance(request.json, dict) else {}
        query: Row = dict(request.query)
        params = query | body
        share = self._share_link(params)
        if name in self.generation.validates:
            self._validate(name, params, share)
        if share is not None:
            if share.get("shareId") != SHARE:
                raise link_un_invalid()
            return Call(body, query, params, f"share:{share.get('outLinkUid')}", shared=True)
        if "appId" not in params:
            return self._without_target(name, body, query)
        owner = _owner(authorization)
        self._permit(name, params["appId"])
        return Call(body, query, params, owner)

    def _without_target(self, name: str, body: Row, query: Row) -> Call:
        """Before share links moved, a list of nothing was an empty one, whoever asked."""
        if self.generation.nested_share or name not in {"getHistories", "getPaginationRecords"}:
            raise un_auth_chat()
        return Call(body, query, {})

    def _share_link(self, params: Row) -> Row | None:
        if not self.generation.nested_share:
            return params if params.get("shareId") and params.get("outLinkUid") else None
        link = params.get("outLinkAuthData")
        link = json.loads(link) if isinstance(link, str) else link
        return link if isinstance(link, dict) and link.get("shareId") else None

    def _validate(self, name: str, params: Row, share: Row | None) -> None:
        if "appId" in params and not _OBJECT_ID.fullmatch(str(params["appId"])):
            raise invalid("appId", message="Invalid string: must match pattern")
        if self.generation.nested_share and share is not None and "appId" in params:
            raise invalid(message="appId cannot be used with share auth")
        if name != "getHistories" and "appId" not in params and share is None:
            raise invalid(message="appId, skillId or share auth must be provided")
        for key in _REQUIRED.get(name, ()):
            if not isinstance(params.get(key), str) or not params[key]:
                raise invalid(key, message="Invalid input: expected string")
        known = self.generation.nested_share
        if known and params.get("source", "api") not in (*SOURCES, "mcp", "wechat"):
            raise invalid("source", message="Invalid option")
        ids = params.get("chatIds", ["x"])
        if name == "getHistoryStatus" and not (isinstance(ids, list) and 1 <= len(ids) <= 200):
            raise invalid("chatIds", message="Too small: expected array to have >=1 items")

    def _permit(self, name: str, app_id: Any) -> None:
        if not _OBJECT_ID.fullmatch(str(app_id)):
            raise thrown(
                f'Cast to ObjectId failed for value "{app_id}" (type string) at path "appId" for '
                'model "chat"'
            )
        if self.generation.lenient and name == "getHistories":
            return
        if app_id == FOREIGN_APP:
            raise un_auth_app()
        if app_id != APP:
            raise app_un_exist()

    def _readable(self, call: Call) -> Chat | None:
        """Return the named chat, even a hidden one; None if there is none."""
        chat = self.chats.get(call.params.get("chatId", ""))
        if chat is not None and chat.owner != call.owner:
            raise un_auth_chat()
        return chat

    # Turns

    def _completed(self, request: Request, authorization: str | None) -> Response:
        """Refuse in a stream where one was requested, unless a schema refuses."""
        streams = isinstance(request.json, dict) and request.json.get("stream") is True
        try:
            call = self._parse_call("completions", request, authorization)
            answer = self._turn(call, by_node=streams and request.path == COMPLETIONS[1])
        except Refusal as refusal:
            checked = "completions" in self.generation.validates and refusal.code == 400
            if not streams or checked:
                return self.refused(refusal)
            bare = {"message": refusal.body["message"]}
            body = bare if refusal.code == 500 else refusal.body
            return Response(200, {}, apps.frame("error", body))
        return answer.streamed() if streams else answer.whole()

    def _turn(self, call: Call, *, by_node: bool) -> apps.Answer:
        """Accept a turn and answer at once, as a service that continues whoever listens."""
        body = call.body
        messages, variables = body.get("messages"), body.get("variables")
        if not messages and not variables:
            raise thrown("messages is empty")
        content = messages[-1]["content"] if messages else json.dumps(variables)
        chat = self._readable(call) or self.insert(
            body["chatId"], owner=call.owner, source="share" if call.shared else "api"
        )
        if chat.generating and self.generation.one_at_a_time:
            raise chat_is_generating()
        chat.variables |= variables or {}
        run = self._run(chat, content, body.get("responseChatItemId"))
        chat.lag = self.lag
        title = self._titled(chat, content)
        self.touch(chat.chat_id)
        return apps.Answer(
            run=run,
            chat_id=chat.chat_id,
            title=title,
            variables=chat.variables,
            details=body.get("detail") is True,
            by_node=by_node,
            details_last=self.generation.details_last,
            as_object=self.generation.lenient,
        )

    def _run(self, chat: Chat, content: Any, data_id: str | None) -> apps.Run:
        text, value = apps.question_of(content)
        together = self.generation.shared_data_id
        last = chat.records[-1]["value"] if chat.records else []
        pending = apps.waiting(last)
        if pending is not None:
            run = apps.goes_on(last, pending, text, by_key=self.generation.forms_by_key)
            last += apps.stored(run.items, together=together)
            return run
        if self.generation.shared_data_id and any(
            record["dataId"] == data_id for record in chat.records
        ):
            raise thrown(f"Chat dataId already exists: {data_id}")
        run = apps.run(text)
        self.append(chat.chat_id, "user", "")["value"] = value
        answer = self.append(chat.chat_id, "assistant", "")
        answer["value"] = apps.stored(run.items, together=together) or [apps.text_item("")]
        answer["dataId"] = data_id or answer["dataId"]
        if self.generation.shared_data_id:
            chat.records[-2]["dataId"] = answer["dataId"]
        if run.error is not None:
            answer["errorText"] = {"moduleName": "AI chat", "errorText": run.error}
        return run

    def _titled(self, chat: Chat, content: Any) -> str | None:
        """Return a chat's new title: from 4.15 on it is reported, and given once."""
        title = apps.question_of(content)[0][:20]
        once = self.generation.shared_data_id
        if once and (chat.title or len(chat.records) > 2):
            return None
        chat.title = title
        return title if once else None

    # Handlers

    def _get_histories(self, call: Call) -> Row:
        if not call.shared and call.params.get("appId") != APP:
            return {"list": [], "total": 0}
        chats = self._listed(call.owner)
        source = call.body.get("source")
        if source is not None and not call.shared:
            chats = [item for item in chats if item.source == source]
        if (earliest := call.body.get("startUpdateTime")) is not None:
            chats = [item for item in chats if item.updated >= _time(earliest)]
        if (latest := call.body.get("endUpdateTime")) is not None:
            chats = [item for item in chats if item.updated <= _time(latest)]
        start, end = _span(call)
        return {"list": [self._item(item) for item in chats[start:end]], "total": len(chats)}

    def _item(self, chat: Chat) -> Row:
        item = {"chatId": chat.chat_id, "updateTime": _iso(chat.updated), "appId": APP}
        item |= {"customTitle": chat.custom_title, "title": chat.title, "top": chat.top}
        return item | self._progress()

    def _progress(self) -> Row:
        return {"chatGenerateStatus": 1, "hasBeenRead": False} if self.generation.status else {}

    def _get_history_status(self, call: Call) -> Row:
        wanted = [row for row in self._listed(call.owner) if row.chat_id in call.body["chatIds"]]
        return {
            "list": [
                {"chatId": item.chat_id, "updateTime": _iso(item.updated)} | self._progress()
                for item in wanted
            ]
        }

    def _update_history(self, call: Call) -> None:
        chat = self._readable(call)
        if chat is None or chat.deleted:
            return
        chat.title = call.body.get("title", chat.title)
        chat.custom_title = call.body.get("customTitle", chat.custom_title)
        chat.top = call.body.get("top", chat.top)
        self.touch(chat.chat_id)

    def _del_history(self, call: Call) -> None:
        chat = self._readable(Call({}, call.query, call.query, call.owner))
        if chat is not None:
            self.remove(chat.chat_id)

    def _clear_histories(self, call: Call) -> None:
        """Of a key the API chats of everybody, as the service has it; of a share link its own."""
        for chat in list(self.chats.values()):
            if chat.owner == call.owner if call.shared else chat.source == "api":
                self.remove(chat.chat_id)

    def _get_pagination_records(self, call: Call) -> Row:
        chat = self._readable(call) if call.shared or call.params.get("appId") == APP else None
        newest_first = self._settled(chat)[::-1] if chat else []
        start, end = _span(call)
        with_custom = call.body.get("loadCustomFeedbacks") is True
        return {
            "list": [self._record(item, with_custom) for item in newest_first[start:end][::-1]],
            "total": len(newest_first),
        }

    def _settled(self, chat: Chat) -> list[Row]:
        """Return a chat's records; a turn that was just made may take its time to be among them."""
        if not chat.lag:
            return chat.records
        chat.lag -= 1
        *before, last = chat.records
        return [*before, last | {"value": []}] if self.generation.shared_data_id else before[:-1]

    def _record(self, row: Row, with_custom: bool) -> Row:
        shown = row | ({"customFeedbacks": []} if with_custom else {})
        if row["obj"] == "AI":
            shown |= {"durationSeconds": 0.5, "totalQuoteList": [], "llmModuleAccount": 1}
        return shown

    def _get_res_data(self, call: Call) -> list[Row]:
        chat = self._readable(call)
        answers = [
            record
            for record in (chat.records if chat else [])
            if record["obj"] == "AI" and record["dataId"] == call.params.get("dataId")
        ]
        node = {"nodeId": "ai", "moduleName": "AI chat", "moduleType": "chatNode"}
        return [node | {"id": f"run-{answer['_id']}", "runningTime": 0.5} for answer in answers]

    def _init(self, call: Call) -> Row:
        """Of a chat and its app; an unknown chat is an empty one."""
        chat = self._readable(call)
        return {
            "chatId": call.params.get("chatId"),
            "appId": APP,
            "title": (chat.custom_title or chat.title) if chat else "",
            "variables": chat.variables if chat else {},
            "app": {"name": "chat-app", "type": "simple", "chatConfig": {}},
        }

    def _questions_by_id(self, call: Call) -> list[str]:
        """Return what a model makes of a chat's end; of an unknown one, too."""
        chat = self._readable(call)
        texts = [record["value"][0]["text"]["content"] for record in chat.records] if chat else []
        return _next_questions(texts[-6:], call.body.get("questionGuide"))

    def _questions_by_messages(self, call: Call) -> list[str]:
        return _next_questions([message["content"] for message in call.body["messages"]])

    def _delete(self, call: Call) -> None:
        """Delete what has the id: where ids are shared, a question and its answer."""
        params: Row = {}
        for where in self.generation.deletes_by:
            params |= getattr(call, where)
        gone, chat_id = params.get("contentId"), params.get("chatId")
        if not gone or not chat_id:
            if self.generation.shared_data_id:
                return
            raise thrown("contentId or chatId is empty")
        chat = self._readable(Call({}, {}, params, call.owner))
        if chat is not None:
            self.erase(chat.chat_id, {"dataId": gone})

    def _update_user_feedback(self, call: Call) -> None:
        if not call.body.get("chatId") or not call.body.get("dataId"):
            raise thrown("chatId or dataId is empty")
        chat = self._readable(call)
        rated = [
            record
            for record in (chat.records if chat else [])
            if record["dataId"] == call.body["dataId"]
            and (record["obj"] == "AI" or not self.generation.shared_data_id)
        ]
        if not rated and self.generation.shared_data_id:
            raise thrown("Chat item not found")
        for row in rated:
            for name in ("userGoodFeedback", "userBadFeedback"):
                row.pop(name, None)
                if name in call.body:
                    row[name] = call.body[name]


_REQUIRED = {
    "updateHistory": ("chatId",),
    "delHistory": ("chatId",),
    "updateUserFeedback": ("chatId", "dataId"),
    "getResData": ("dataId",),
    "delete": ("chatId",),
    "init": ("chatId",),
    "createQuestionGuide": ("chatId",),
}


def _owner(authorization: str | None) -> str:
    """Whose key it is; only the second word of the header counts."""
    words = (authorization or "").split(" ")
    if len(words) < 2 or len(words[1].split("-")) not in {2, 3}:
        raise un_authorization()
    if words[1] != KEY:
        raise un_auth_api_key()
    return "me"


def _next_questions(texts: list[str], guide: Row | None = None) -> list[str]:
    """Return what a model suggests, which needs a prompt and sees only the messages."""
    word = (guide or {}).get("customPrompt", "What of")
    return [f"{word} {text!r}?" for text in texts]


def _span(call: Call) -> tuple[int, int]:
    params = call.body if "pageSize" in call.body else call.query
    if "pageSize" not in params:
        return 0, 10
    size = int(params["pageSize"])
    if not size:
        raise missing_params()
    offset = int(params.get("offset", 0)) or (int(params.get("pageNum", 1)) - 1) * size
    return offset, offset + size


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)


def _iso(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _reply(status: int, body: Row) -> Response:
    return Response(status, JSON_TYPE, json.dumps(body).encode())
