"""Flows and their drivers, by requests and replies: no clock, no network, no adapter."""

import asyncio
import inspect
from functools import partial

import pytest

from convostore import RateLimitError, StoreError, UnavailableError
from convostore.flow import Sleep, arun, in_order, poll, retrying, run, together


@pytest.fixture(params=["run", "arun"])
def carry(request):
    """Carries a flow out with one of the drivers: `carry(flow, send, slept=[])`."""

    def blocking(flow, send, slept=None):
        return run(flow, send, sleep=(slept if slept is not None else []).append)

    def awaiting(flow, send, slept=None):
        async def send_later(request):
            return send(request)

        async def sleep(seconds):
            (slept if slept is not None else []).append(seconds)

        return asyncio.run(arun(flow, send_later, sleep=sleep))

    return blocking if request.param == "run" else awaiting


def play(main):
    """Runs a test of the async driver, which fails instead of waiting for ever."""

    async def bounded():
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


def ask(*requests):
    """A flow that returns the replies to its requests."""
    replies = []
    for request in requests:
        replies += [(yield request)]
    return replies


def upper(request):
    return request.upper()


def is_closed(flow):
    return inspect.getgeneratorstate(flow) == inspect.GEN_CLOSED


def test_a_flow_is_sent_each_reply_in_turn_and_returns_its_result(carry):
    assert carry(ask("a", "b", "c"), upper) == ["A", "B", "C"]


def test_a_flow_may_ask_nothing(carry):
    assert carry(ask(), upper) == []


def test_a_reply_may_be_none_and_a_request_too(carry):
    assert carry(ask(None), lambda _: None) == [None]


def test_an_error_of_a_request_is_thrown_into_the_flow_which_may_go_on(carry):
    def flow():
        try:
            yield "a"
        except StoreError as error:
            caught = str(error)
        return caught, (yield "b")

    def send(request):
        if request == "a":
            raise UnavailableError("no route")
        return upper(request)

    assert carry(flow(), send) == ("no route", "B")


def test_an_error_that_the_flow_does_not_catch_reaches_the_caller_as_it_is(carry):
    failure = UnavailableError("no route")

    def send(request):
        raise failure

    flow = ask("a", "b")
    with pytest.raises(UnavailableError) as caught:
        carry(flow, send)
    assert caught.value is failure
    assert is_closed(flow)


def test_an_error_raised_by_the_flow_reaches_the_caller(carry):
    def flow():
        yield "a"
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        carry(flow(), upper)


def test_a_stop_iteration_out_of_a_request_does_not_pass_for_a_result(carry):
    def send(request):
        raise StopIteration("not a result")

    with pytest.raises(RuntimeError):
        carry(ask("a"), send)


def test_a_flow_may_be_made_of_flows(carry):
    def flow():
        first = yield from ask("a")
        second = yield from ask("b")
        return first + second

    assert carry(flow(), upper) == ["A", "B"]


def test_a_sleep_is_served_and_not_sent(carry):
    slept = []

    def flow():
        reply = yield Sleep(3.5)
        return reply, (yield "a")

    assert carry(flow(), upper, slept) == (None, "A")
    assert slept == [3.5]


class Interrupt(BaseException):
    """As `KeyboardInterrupt`, which a test run would take for its own end."""


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, Interrupt])
def test_an_interrupt_in_a_request_closes_the_flow_and_goes_on(carry, interrupt):
    ended = []

    def flow():
        try:
            yield "a"
        except Exception:
            ended.append("seen as an error")
        finally:
            ended.append("closed")

    def send(request):
        raise interrupt

    with pytest.raises(interrupt):
        carry(flow(), send)
    assert ended == ["closed"]


def test_an_interrupt_in_a_request_closes_the_flows_of_a_together():
    flows = [ask("a"), ask("b"), ask("c")]

    def send(request):
        if request == "b":
            raise KeyboardInterrupt
        return upper(request)

    with pytest.raises(KeyboardInterrupt):
        run(together(flows), send)
    assert all(map(is_closed, flows))


def test_together_gives_results_in_the_order_of_the_flows(carry):
    assert carry(together([ask("a", "b"), ask(), ask("c")]), upper) == [["A", "B"], [], ["C"]]


def test_together_of_nothing_is_nothing(carry):
    assert carry(together([]), upper) == []


def test_together_takes_any_iterable_and_nests(carry):
    inner = (together([ask(name), ask(name * 2)]) for name in "ab")
    assert carry(together(inner), upper) == [[["A"], ["AA"]], [["B"], ["BB"]]]


def test_the_sync_driver_carries_the_flows_of_a_together_out_in_turn():
    sent = []

    def send(request):
        sent.append(request)
        return request

    run(together([ask("a1", "a2"), ask("b1", "b2")]), send)
    assert sent == ["a1", "a2", "b1", "b2"]


def test_a_sleep_inside_a_together_is_served(carry):
    slept = []

    def flow(seconds):
        yield Sleep(seconds)
        return seconds

    assert carry(together([flow(1), flow(2)]), upper, slept) == [1, 2]
    assert slept == [1, 2]


def fails_at(*bad):
    def send(request):
        if request in bad:
            raise UnavailableError(f"{request} failed")
        return upper(request)

    return send


def test_the_first_failure_of_a_together_is_raised_in_the_flow_and_no_group(carry):
    def flow():
        try:
            yield from together([ask("a"), ask("b"), ask("c")])
        except UnavailableError as error:
            return str(error)

    assert carry(flow(), fails_at("b", "c")) == "b failed"


def test_a_failure_closes_the_flows_that_were_not_begun(carry):
    flows = [ask("a"), ask("b"), ask("c"), ask("d")]
    sent = []

    def send(request):
        sent.append(request)
        return fails_at("b")(request)

    with pytest.raises(UnavailableError):
        carry(together(flows), send)
    assert all(map(is_closed, flows))
    assert sent == ["a", "b"]


def test_the_async_driver_carries_out_as_many_flows_at_a_time_as_it_may():
    async def main():
        pair = asyncio.Barrier(2)
        under_way, most = 0, 0

        async def send(request):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await pair.wait()  # goes on only when another request is under way as well
            under_way -= 1
            return upper(request)

        flows = [ask(name) for name in "abcdef"]
        result = await arun(together(flows), send, concurrency=2)
        assert result == [["A"], ["B"], ["C"], ["D"], ["E"], ["F"]]
        assert most == 2

    play(main)


def test_without_concurrency_the_async_driver_takes_one_flow_at_a_time():
    async def main():
        sent = []

        async def send(request):
            sent.append(request)
            await asyncio.sleep(0)
            return request

        await arun(together([ask("a1", "a2"), ask("b1", "b2")]), send)
        assert sent == ["a1", "a2", "b1", "b2"]

    play(main)


def test_the_first_failure_cancels_the_requests_that_are_under_way():
    async def main():
        begun, cancelled, closed = asyncio.Event(), [], []

        def waits():
            try:
                yield "forever"
            finally:
                closed.append("forever")

        async def send(request):
            if request == "forever":
                begun.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled.append(request)
                    raise
            await begun.wait()
            raise UnavailableError(f"{request} failed")

        unbegun = ask("never")
        with pytest.raises(UnavailableError, match="bad failed"):
            await arun(together([waits(), ask("bad"), unbegun]), send, concurrency=2)
        assert (cancelled, closed) == (["forever"], ["forever"])
        assert is_closed(unbegun)

    play(main)


@pytest.mark.parametrize("wrap", [lambda flow: flow, lambda flow: together([flow, ask("b")])])
def test_a_cancellation_closes_the_flow(wrap):
    async def main():
        begun, ended = asyncio.Event(), []

        def flow():
            try:
                yield "a"
            except Exception:
                ended.append("seen as an error")
            finally:
                ended.append("closed")

        async def send(request):
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(arun(wrap(flow()), send))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["closed"]

    play(main)


class Bug(Exception):  # noqa: N818  # no error of any library
    """What a driver or a transport might raise that is none of our errors."""


def persistent(flow, *, retries=2, repeatable=lambda _: True, delay=lambda *_: 1.0):
    """Surrounds a flow whose replies may be errors."""
    return retrying(
        flow,
        retries=retries,
        failure=lambda _, reply: reply if isinstance(reply, StoreError) else None,
        repeatable=repeatable,
        delay=delay,
    )


class Script:
    """A `send` that answers each request with the next of its replies, or raises it."""

    def __init__(self, **replies):
        self.replies = {request: list(answers) for request, answers in replies.items()}
        self.sent = []

    def __call__(self, request):
        self.sent.append(request)
        reply = self.replies[request].pop(0)
        if isinstance(reply, BaseException) and not isinstance(reply, StoreError):
            raise reply
        if isinstance(reply, StoreError) and reply.detail == "raised":
            raise reply
        return reply


def busy(detail=None):
    return UnavailableError("busy", detail=detail)


@pytest.mark.parametrize("detail", [None, "raised"])
def test_a_passing_failure_is_repeated_after_the_delay(carry, detail):
    slept, delays = [], []

    def delay(attempts, error):
        delays.append((attempts, str(error)))
        return attempts * 10.0

    send = Script(a=[busy(detail), busy(detail), "A"], b=["B"])
    assert carry(persistent(ask("a", "b"), delay=delay), send, slept) == ["A", "B"]
    assert send.sent == ["a", "a", "a", "b"]
    assert slept == [10.0, 20.0]
    assert delays == [(1, "busy"), (2, "busy")]


def test_retrying_gives_up_and_throws_the_last_error_into_the_flow(carry):
    def flow():
        try:
            yield "a"
        except StoreError as error:
            return error

    last = busy()
    send = Script(a=[busy(), busy(), last, "too late"])
    assert carry(persistent(flow(), retries=2), send) is last
    assert send.sent == ["a", "a", "a"]


def test_each_request_has_its_own_count_of_attempts(carry):
    send = Script(a=[busy(), "A"], b=[busy(), "B"])
    assert carry(persistent(ask("a", "b"), retries=1), send) == ["A", "B"]


@pytest.mark.parametrize(
    "options",
    [{"retries": 0}, {"repeatable": lambda _: False}, {"delay": lambda *_: None}],
    ids=["no retries", "not repeatable", "not worth waiting"],
)
@pytest.mark.parametrize("detail", [None, "raised"])
def test_a_request_that_may_not_be_repeated_is_not(carry, options, detail):
    slept, send = [], Script(a=[busy(detail), "too late"])
    with pytest.raises(UnavailableError):
        carry(persistent(ask("a"), **options), send, slept)
    assert (send.sent, slept) == (["a"], [])


def test_repeating_is_decided_request_by_request(carry):
    send = Script(read=[busy(), "READ"], write=[busy(), "too late"])
    with pytest.raises(UnavailableError):
        carry(persistent(ask("read", "write"), repeatable=lambda request: request == "read"), send)
    assert send.sent == ["read", "read", "write"]


def test_a_lasting_failure_is_not_repeated(carry):
    send = Script(a=[UnavailableError("broken", retryable=False), "too late"])
    with pytest.raises(UnavailableError, match="broken"):
        carry(persistent(ask("a")), send)
    assert send.sent == ["a"]


def test_an_error_that_is_none_of_ours_is_not_repeated(carry):
    send = Script(a=[Bug("a bug"), "too late"])
    with pytest.raises(Bug):
        carry(persistent(ask("a")), send)
    assert send.sent == ["a"]


def test_a_flow_may_catch_a_failure_and_ask_another_way(carry):
    def flow():
        try:
            return (yield "new")
        except StoreError:
            return (yield "old")

    send = Script(new=[UnavailableError("broken", retryable=False)], old=["OLD"])
    assert carry(persistent(flow()), send) == "OLD"


def test_the_flows_of_a_together_are_repeated_each_for_itself(carry):
    slept = []
    send = Script(a=[busy(), "A"], b=["B"], c=[busy(), busy(), "C"])
    assert carry(persistent(together([ask("a"), ask("b"), ask("c")])), send, slept) == [
        ["A"],
        ["B"],
        ["C"],
    ]
    assert slept == [1.0, 1.0, 1.0]


def test_a_failure_inside_a_together_is_thrown_into_the_flow_around_it(carry):
    def flow():
        try:
            yield from together([ask("a"), ask("b")])
        except RateLimitError as error:
            return error.retry_after

    send = Script(a=["A"], b=[RateLimitError("wait", retry_after=9)])
    assert carry(persistent(flow(), retries=0), send) == 9


def test_a_sleep_of_the_flow_itself_passes(carry):
    def flow():
        yield Sleep(7)
        return (yield "a")

    slept, send = [], Script(a=["A"])
    assert carry(persistent(flow()), send, slept) == "A"
    assert slept == [7]


def test_closing_a_surrounded_flow_closes_the_flow(carry):
    closed = []

    def flow():
        try:
            yield "a"
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        carry(persistent(flow()), Script(a=[KeyboardInterrupt()]))
    assert closed == [True]


async def _jobs(jobs, log):
    for index, job in enumerate(jobs):
        log.append(index)
        yield job


def test_jobs_give_their_results_in_their_order_whichever_ends_first():
    async def main():
        second_done = asyncio.Event()

        async def first():
            await second_done.wait()
            return "first"

        async def second():
            second_done.set()
            return "second"

        results = in_order(_jobs([first, second], []), ahead=2)
        assert [result async for result in results] == ["first", "second"]

    play(main)


def test_no_more_jobs_are_begun_than_may_be_ahead():
    async def main():
        begun = []
        gates = [asyncio.Event() for _ in range(5)]

        async def job(index):
            await gates[index].wait()
            return index

        results = in_order(_jobs([partial(job, index) for index in range(5)], begun), ahead=2)
        for index in range(5):
            gates[index].set()
            assert await anext(results) == index
            assert begun == list(range(min(index + 2, 5)))
        with pytest.raises(StopAsyncIteration):
            await anext(results)

    play(main)


def test_a_job_that_fails_raises_when_its_turn_has_come():
    async def main():
        async def good():
            return "good"

        async def bad():
            raise UnavailableError("bad")

        results = in_order(_jobs([good, bad, good], []), ahead=3)
        assert await anext(results) == "good"
        with pytest.raises(UnavailableError, match="bad"):
            await anext(results)

    play(main)


def test_an_error_of_the_jobs_themselves_comes_after_the_results_before_it():
    async def main():
        async def good():
            return "good"

        async def jobs():
            yield good
            yield good
            raise UnavailableError("the list broke off")

        results = in_order(jobs(), ahead=5)
        assert [await anext(results), await anext(results)] == ["good", "good"]
        with pytest.raises(UnavailableError, match="the list broke off"):
            await anext(results)

    play(main)


def test_leaving_early_cancels_what_is_under_way_and_waits_for_its_end():
    async def main():
        ended, begun = [], asyncio.Event()

        async def good():
            await begun.wait()
            return "good"

        async def forever():
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append("forever")

        results = in_order(_jobs([good, forever, good], []), ahead=2)
        assert await anext(results) == "good"
        await results.aclose()
        assert ended == ["forever"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main)


def test_a_failure_leaves_no_job_behind():
    async def main():
        async def bad():
            raise UnavailableError("bad")

        async def forever():
            await asyncio.Event().wait()

        with pytest.raises(UnavailableError):
            async for _ in in_order(_jobs([bad, bad, forever], []), ahead=3):
                pass
        assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main)


def poll_with(look_up, patience):
    """Returns the result of polling, the flags of the look-ups, and the waits between them."""
    flags, waits = [], []

    def look(is_last):
        flags.append(is_last)
        yield "look"
        return look_up(len(flags))

    flow = poll(look, patience=patience)
    return run(flow, lambda request: request, sleep=waits.append), flags, waits


def test_what_is_there_at_once_is_not_waited_for():
    assert poll_with(lambda number: "it", 5) == ("it", [False], [])


def test_it_is_looked_for_ever_less_often_and_one_last_time():
    result, flags, waits = poll_with(lambda number: None, 5)
    assert result is None
    assert flags == [False] * (len(flags) - 1) + [True]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert len(flags) == len(waits) + 1


def test_what_comes_meanwhile_ends_the_looks():
    result, flags, waits = poll_with(lambda number: "it" if number == 3 else None, 5)
    assert (result, flags, waits) == ("it", [False] * 3, [0.05, 0.1])


def test_without_patience_there_is_one_look():
    assert poll_with(lambda number: None, 0) == (None, [True], [])
