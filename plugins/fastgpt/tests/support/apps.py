"""An app of the stand-in: its flow does what its user's first words say, as each generation does.

After ``think`` it reasons, after ``look up`` it calls a tool, after ``choose a b`` it asks for one
of these words, after ``fill in a b`` for a form of these keys, after ``pay`` for money; after
``ask a b`` an agent puts these questions, and after ``plan`` it asks for a new turn. ``nested``
before any of these puts it into sub-flows, ``set`` updates variables, ``fail`` makes the model
fail. It says again what else it is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from convostore.http import Response
from convostore.testing import Prompts

Row = dict[str, Any]

SSE_TYPE = {"content-type": "text/event-stream;charset=utf-8"}
PROMPTS = Prompts(
    thinking="think of it",
    choice="choose tea coffee",
    form="fill in name age",
    filled_in={"name": "Ada", "age": "36"},
    failing="fail now",
)
BOOM = "500 stub upstream exploded"
PIECE = 7
"""Characters that the app says at a time."""


@dataclass
class Run:
    """What a run of the flow came to.

    Attributes:
        items: What it adds to the record's value, in the words of the newest generations.
        error: What the model failed with.
        begins: The type of its first node.
        updates: Whether it sets a variable.
    """

    items: list[Row] = field(default_factory=list)
    error: str | None = None
    begins: str = "workflowStart"
    updates: bool = False


def run(text: str) -> Run:
    """Run the flow on a question."""
    if text.startswith("fail"):
        return Run(error=BOOM)
    if text.startswith("nested "):
        made = run(text.removeprefix("nested "))
        for item in made.items:
            if "interactive" in item:
                item["interactive"] = _within(item["interactive"])
        return made
    return Run(items=list(_items(text)), updates=text.startswith("set"))


def _within(interactive: Row) -> Row:
    inner = {"type": "loopInteractive", "params": {"childrenResponse": interactive}}
    return {"type": "childrenInteractive", "params": {"childrenResponse": inner}}


def _items(text: str) -> Iterator[Row]:
    command, _, rest = text.partition(" ")
    if command == "think":
        yield {"reasoning": {"content": "What was I told? A question."}}
        yield text_item(f"You said: {rest}")
    elif text.startswith("look up"):
        yield text_item("Let me see.")
        params, response = json.dumps({"word": text[8:]}), f"{text[8:]} is a word"
        tool = {"toolName": "dictionary", "functionName": "look_up", "toolAvatar": ""}
        yield {"tools": [{"id": "call1", **tool, "params": params, "response": response}]}
        yield text_item("It is a word.")
    elif command in _ASKING or text.startswith("fill in"):
        yield text_item("One question.")
        yield {"interactive": _ASKING["fill" if command == "fill" else command](rest)}
    else:
        yield text_item(f"You said: {text}")


def text_item(text: str) -> Row:
    return {"text": {"content": text}}


def _choice(words: str) -> Row:
    options = [{"value": word, "key": f"option{n}"} for n, word in enumerate(words.split(), 1)]
    return {
        "type": "userSelect",
        "params": {"description": "Which one?", "userSelectOptions": options},
    }


def _form(words: str) -> Row:
    fields = [
        {
            "type": "input",
            "key": word,
            "label": word.upper(),
            "description": "",
            "value": "",
            "defaultValue": "",
            "valueType": "string",
            "required": True,
            "list": [{"label": "", "value": ""}],
        }
        for word in words.split()[1:]
    ]
    return {"type": "userInput", "params": {"description": "Fill in", "inputForm": fields}}


def _pause(_: str) -> Row:
    return {"type": "paymentPause", "params": {"description": "no money left"}}


def _questions(words: str) -> Row:
    questions = [{"question": f"{word}?", "options": []} for word in words.split()]
    return {"type": "agentAsk", "params": {"responseMode": "submit", "questions": questions}}


def _query(words: str) -> Row:
    return {"type": "agentPlanAskQuery", "params": {"content": f"What of {words}?"}}


_ASKING = {"choose": _choice, "fill": _form, "pay": _pause, "ask": _questions, "plan": _query}


def waiting(value: Sequence[Row]) -> Row | None:
    """Return the interaction that a record waits for, the innermost one."""
    part = value[-1].get("interactive") if value else None
    while part and "childrenResponse" in part["params"]:
        part = part["params"]["childrenResponse"]
    if part is None or part["type"] == "agentPlanAskQuery":
        return None
    done = part["params"].get("userSelectedVal") or part["params"].get("submitted")
    return None if done else part


def goes_on(value: list[Row], part: Row, text: str, *, by_key: bool) -> Run:
    """Go on with a flow that waited; what it waited for is noted in the record."""
    params = part["params"]
    if part["type"] == "userSelect":
        params["userSelectedVal"] = text
        known = [option["value"] for option in params["userSelectOptions"]]
        return Run([text_item(f"You chose {text}." if text in known else "")], begins="userSelect")
    if part["type"] == "paymentPause":
        value.pop()
        return Run([text_item("Thank you.")], begins="paymentPause")
    answered = _object(text)
    if answered:
        params["submitted"] = True
    if part["type"] == "agentAsk":
        for item, answer in zip(params["questions"], answered.get("answers", []), strict=False):
            item["answer"] = answer
        return Run([text_item("I see.")], begins="agent")
    for item in params["inputForm"]:
        name = item["key" if by_key else "label"]
        item["value"] = answered.get(name, item["value"])
    filled = ", ".join(f"{item['key']} is {item['value']}" for item in params["inputForm"])
    return Run([text_item(f"So {filled}.")], begins="formInput")


def _object(text: str) -> Row:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def question_of(content: Any) -> tuple[str, list[Row]]:
    """Return a question's text, and its record's value."""
    if isinstance(content, str):
        return content, [text_item(content)]
    value = [_given(item) for item in content or []]
    return "".join(item["text"]["content"] for item in value if "text" in item), value


def _given(piece: Row) -> Row:
    if piece["type"] == "text":
        return text_item(piece["text"])
    if piece["type"] == "image_url":
        return {"file": {"type": "image", "name": "", "url": piece["image_url"]["url"]}}
    return {"file": {"type": "file", "name": piece["name"], "url": piece["url"]}}


def stored(items: Iterable[Row], *, together: bool) -> list[Row]:
    """Return items as a record holds them; the newest generations add a text to thoughts."""
    kept: list[Row] = []
    for item in items:
        if together and "text" in item and kept and kept[-1].keys() == {"reasoning"}:
            kept[-1] = kept[-1] | item
        else:
            kept.append(dict(item))
    return kept


# What is answered


@dataclass
class Answer:
    """A run as it is reported to its client.

    Attributes:
        chat_id: Which chat it is of.
        title: The chat's, where it has a new one.
        variables: All that the chat has.
        details: Whether the run is reported, and not its answer alone.
        by_node: Whether each node is reported when it is done, as in v2.
        details_last: Whether they stand behind the end mark.
        as_object: Whether an error is reported as an object.
    """

    run: Run
    chat_id: str
    title: str | None
    variables: Row
    details: bool
    by_node: bool
    details_last: bool
    as_object: bool

    def nodes(self) -> list[Row]:
        """Return the nodes of the run, with a tool's within the one that called it."""
        kind = self.run.begins
        start = {"id": "n1", "nodeId": "start", "moduleName": "start", "moduleType": kind}
        model = {"id": "n2", "nodeId": "ai", "moduleName": "AI chat", "moduleType": "chatNode"}
        if self.run.error is not None:
            model["error"] = self._error()
        tools = [tool for item in self.run.items for tool in item.get("tools", ())]
        inner = [
            {"id": f"t{number}", "parentId": "n2", "nodeId": "tool", "moduleName": tool["toolName"]}
            for number, tool in enumerate(tools)
        ]
        ended = model | {"runningTime": 0.5}
        return [start | {"runningTime": 0}, ended | ({"childrenResponses": inner} if inner else {})]

    def _error(self) -> Any:
        error = self.run.error
        return {"message": error, "name": "Error", "status": 500} if self.as_object else error

    def whole(self) -> Response:
        """One object."""
        content: Any = "\n".join([text["text"]["content"] for text in self._texts()])
        message: Row = {"role": "assistant", "content": content}
        if self.details and (len(self.run.items) > 1 or not self._texts()):
            message["content"] = self.run.items
        elif not self.details and any("interactive" in item for item in self.run.items):
            del message["content"]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 1}
        body: Row = {"id": self.chat_id, "model": "", "usage": usage}
        body["choices"] = [{"message": message, "finish_reason": "stop", "index": 0}]
        if self.title is not None:
            body["title"] = self.title
        if self.run.error is not None:
            body["error"] = self._error()
        if self.details:
            body |= {"responseData": self.nodes(), "newVariables": self.variables}
        kind = {"content-type": "application/json; charset=utf-8"}
        return Response(200, kind, json.dumps(body).encode())

    def _texts(self) -> list[Row]:
        return [item for item in self.run.items if "text" in item]

    def streamed(self) -> Response:
        """Events."""
        return Response(200, SSE_TYPE, b"".join(self._frames()))

    def _frames(self) -> Iterator[bytes]:
        for name, data in self._events():
            is_answer = name in ("answer", "fastAnswer")
            if self.details:
                yield frame(name, data)
            elif is_answer:
                yield frame(None, data)

    def _events(self) -> Iterator[tuple[str, Any]]:
        if self.title is not None:
            yield "chatTitle", {"title": self.title}
        nodes = self.nodes()
        if self.by_node:
            yield "flowNodeResponse", nodes[0]
        yield "flowNodeStatus", {"status": "running", "name": "AI chat"}
        yield "answer", _chunk(content="")  # a heartbeat
        if self.run.updates:
            yield "updateVariables", self.variables
        for item in self.run.items:
            yield from _told(item)
        if self.by_node:
            inner = nodes[1].pop("childrenResponses", [])
            yield from [("flowNodeResponse", node) for node in (*inner, nodes[1])]
        yield "workflowDuration", {"durationSeconds": 0.5}
        yield "answer", _chunk("stop", content=None)
        nodes_event = [] if self.by_node else [("flowResponses", nodes)]
        end: list[tuple[str, Any]] = [("answer", None)]
        yield from end + nodes_event if self.details_last else nodes_event + end


def frame(name: str | None, data: Any) -> bytes:
    """One event of a stream; None is the end mark."""
    text = "[DONE]" if data is None else json.dumps(data)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode()


def _chunk(finish_reason: str | None = None, **delta: Any) -> Row:
    choice = {"delta": {"role": "assistant", **delta}, "index": 0, "finish_reason": finish_reason}
    return {"id": "", "object": "", "created": 0, "model": "", "choices": [choice]}


def _told(item: Row) -> Iterator[tuple[str, Any]]:
    if "interactive" in item:
        yield "interactive", {"interactive": item["interactive"] | {"memoryEdges": []}}
    for tool in item.get("tools", ()):
        bare = {"id": tool["id"], "toolName": "", "toolAvatar": "", "params": ""}
        yield "toolCall", {"tool": {**tool, "params": "", "response": ""}}
        for piece in _pieces(tool["params"]):
            yield "toolParams", {"tool": bare | {"params": piece}}
        yield "toolResponse", {"tool": bare | {"response": tool["response"]}}
    for piece in _pieces(item.get("reasoning", {}).get("content", "")):
        yield "answer", _chunk(reasoning_content=piece)
    for piece in _pieces(item.get("text", {}).get("content", "")):
        yield "answer", _chunk(content=piece)


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + PIECE] for start in range(0, len(text), PIECE))
