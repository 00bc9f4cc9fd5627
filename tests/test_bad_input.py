"""Bad input is refused before anything is sent, and the error says where and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_b24.exceptions import Bitrix24ValidationError
from airflow_provider_b24.polls.rules import parse_rule
from airflow_provider_b24.polls.template_id import check_template_id

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator
    from airflow_provider_b24.hooks.bitrix24 import Bitrix24Hook

Use = Callable[["Bitrix24Hook"], object]

DATA = "IM_MESSAGE_VOTE_DATA"
ASKED = f"{DATA}.QUESTIONS[0]"
ANONYMITY = "must be 1 (public) or 2 (anonymous); 0 leaves it to the portal"
OPTIONS = "must be a sum of 1 (votes may change) and 2 (results are hidden)"
FIELD_TYPE = "must be 0 (one answer) or 1 (several answers)"
RESERVED = "this name is taken by the server; the method would never see it"
PAIR = "must be a method, or a pair of method and params"
TWO = "it offers 'Soup' ({soup}), 'Pie' ({pie})"
NO_QUESTION = "is no question of this poll; it asks 'Lunch?', 'Drink?'"
NAME_IT = (
    "name the poll by its message id, or by a mapping with message_id, post_id, attach_id or signed_attach_id"
)
LINK = "must be a link that the portal can open (http or https)"
UUID = "must be a lower-case UUID of version 4; the portal ignores others"
SECONDS = "must be Unix seconds of 9 or 10 digits, a datetime, or ISO 8601 such as 2026-11-25T10:30:00+03:00"
RULES = (
    "must be 'stopped', 'first_vote', 'everybody', {'quorum': k}, {'everybody': [user ids]}, "
    "{'first_to': k} or {'majority': n}"
)
QUORUM = "must be a number of people, 1 or more"
OFFER = "it offers 'Soup' ({soup}), 'Pie' ({pie}), 'Tea' ({tea})"


def poll(**changes: Any) -> Use:
    """Send a poll of which something is wrong."""
    given = {"chat_id": 1489, "question": "Deploy?", "answers": ["Yes", "No"], **changes}
    return lambda hook: hook.polls.send(**given)


def data(**changes: Any) -> Use:
    """Send a poll in the portal's words."""
    row = {"QUESTION": "Deploy?", "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}]}
    given = {"QUESTIONS": [row], **changes}
    return lambda hook: hook.polls.send_data(chat_id=1489, data=given)


def question(**changes: Any) -> Use:
    """Send a poll in the portal's words whose question is wrong."""
    row = {"QUESTION": "Deploy?", "ANSWERS": [{"MESSAGE": "Yes"}, {"MESSAGE": "No"}], **changes}
    return data(QUESTIONS=[row])


def named(name: Any) -> Use:
    """Name a poll."""
    return lambda hook: hook.polls.get(name)


def message(**parts: Any) -> dict[str, Any]:
    """A connector message; a part that is None is left out."""
    whole = {"user": {"id": "u1"}, "message": {"id": "m1", "text": "Hi"}, "chat": {"id": "c1"}, **parts}
    return {name: part for name, part in whole.items() if part is not None}


def push(messages: Any, *, action: str = "send", connector: Any = "shop", line: Any = 12) -> Use:
    """Push messages through a connector."""
    return lambda hook: getattr(hook.open_lines, action)(connector=connector, line=line, messages=messages)


def user(**fields: Any) -> Use:
    return push([message(user={"id": "u1", **fields})])


def words(**fields: Any) -> Use:
    return push([message(message={"id": "m1", "text": "Hi", **fields})])


def chat(**fields: Any) -> Use:
    return push([message(chat={"id": "c1", **fields})])


def crm(**changes: Any) -> Use:
    """Post to a CRM item's chat."""
    given = {"entity_type": "deal", "entity_id": 288, "user_id": 1, "message": "Hi", **changes}
    return lambda hook: hook.open_lines.send_to_crm_chat(**given)


def set_up(**changes: Any) -> Use:
    """Set a connector up."""
    url = "https://shop.example/bitrix24"
    given = {"connector": "shop", "line": 12, "name": "Shop", "handler_url": url, **changes}
    return lambda hook: hook.open_lines.connectors.set_up(**given)


def delivered(receipt: Any) -> Use:
    """Mark an operator's message as delivered."""
    return lambda hook: hook.open_lines.mark_delivered(connector="shop", line=12, messages=[receipt])


def history(**given: Any) -> Use:
    return lambda hook: hook.open_lines.history(**given)


def say(**given: Any) -> Use:
    return lambda hook: hook.chats.send(**given)


def call(method: Any, params: Any = None) -> Use:
    return lambda hook: hook.call(method, params)


def batch(command: Any) -> Use:
    return lambda hook: hook.call_batch({"good": "user.current", "bad": command})


#: What is done, where the error points, and the rule that it names.
CASES: list[tuple[Use, str, str]] = [
    # Polls
    (poll(answers=[]), "answers", "needs 2 answers or more"),
    (poll(answers=["Yes"]), "answers", "needs 2 answers or more"),
    (poll(answers=[str(n) for n in range(11)]), "answers", "takes 10 answers at most"),
    (poll(answers="Yes"), "answers", "must be a list of answers"),
    (poll(answers={"Yes", "No"}), "answers", "must be a list of answers"),
    (poll(answers=None), "answers", "must be a list of answers"),
    (poll(answers=["Yes", "  "]), "answers[1]", "must not be blank"),
    (poll(answers=["", "No"]), "answers[0]", "must not be blank"),
    (poll(answers=["Yes", 2]), "answers[1]", "must be text"),
    (poll(answers=["Yes", None]), "answers[1]", "must be text"),
    (poll(answers=["Yes", {"MESSAGE": "No"}]), "answers[1]", "must be text"),
    (poll(answers=["Yes", "No", " Yes"]), "answers[2]", "repeats answers[0]"),
    (poll(question=""), "question", "must not be blank"),
    (poll(question=" \n"), "question", "must not be blank"),
    (poll(question=None), "question", "must be text"),
    (poll(multiple_choice=1), "multiple_choice", "must be True or False"),
    (poll(multiple_choice="yes"), "multiple_choice", "must be True or False"),
    (poll(anonymous=2), "anonymous", "must be True or False"),
    (poll(anonymous=None), "anonymous", "must be True or False"),
    (poll(allow_revote="False"), "allow_revote", "must be True or False"),
    (poll(chat_id=0), "chat_id", "must be a chat's number or 'chatN', not 0"),
    (poll(chat_id="general"), "chat_id", "must be a chat's number or 'chatN', not 'general'"),
    (poll(chat_id="chat"), "chat_id", "must be a chat's number or 'chatN', not 'chat'"),
    (poll(chat_id=True), "chat_id", "must be a chat's number or 'chatN', not True"),
    (poll(chat_id=None), "chat_id", "must be a chat's number or 'chatN', not None"),
    (poll(chat_id="9" * 5000), "chat_id", f"must be a chat's number or 'chatN', not '{'9' * 5000}'"),
    (poll(template_id="weekly"), "template_id", UUID),
    (poll(template_id="0C3C5AD6-A1B8-4D4D-9234-F137EF862A77"), "template_id", UUID),
    (poll(template_id="0c3c5ad6-a1b8-5d4d-9234-f137ef862a77"), "template_id", UUID),
    (lambda _: check_template_id("0c3c5ad6a1b84d4d9234f137ef862a77"), "template_id", UUID),
    # Polls in the portal's words
    (data(QUESTIONS=[]), f"{DATA}.QUESTIONS", "needs one question"),
    (data(QUESTIONS={}), f"{DATA}.QUESTIONS", "must be a list with one question"),
    (
        data(QUESTIONS=[{"QUESTION": "?", "ANSWERS": [{"MESSAGE": "a"}, {"MESSAGE": "b"}]}] * 2),
        f"{DATA}.QUESTIONS",
        "takes one question only",
    ),
    (data(QUESTIONS=["?"]), ASKED, "must be an object with QUESTION and ANSWERS"),
    (data(TITLE="x"), DATA, "has no key 'TITLE'; it knows ANONYMITY, OPTIONS, QUESTIONS"),
    (data(ANONYMITY=3), f"{DATA}.ANONYMITY", ANONYMITY),
    (data(ANONYMITY=True), f"{DATA}.ANONYMITY", ANONYMITY),
    (data(OPTIONS=4), f"{DATA}.OPTIONS", OPTIONS),
    (data(OPTIONS="1"), f"{DATA}.OPTIONS", OPTIONS),
    (question(FIELD_TYPE=2), f"{ASKED}.FIELD_TYPE", FIELD_TYPE),
    (question(FIELD_TYPE="0"), f"{ASKED}.FIELD_TYPE", FIELD_TYPE),
    (question(FIELD_TYPE=True), f"{ASKED}.FIELD_TYPE", FIELD_TYPE),
    (question(QUESTION=" "), f"{ASKED}.QUESTION", "must not be blank"),
    (question(ANSWERS=[{"MESSAGE": "Yes"}]), f"{ASKED}.ANSWERS", "needs 2 answers or more"),
    (question(ANSWERS=["Yes", "No"]), f"{ASKED}.ANSWERS[0]", "must be an object with MESSAGE"),
    (
        question(ANSWERS=[{"MESSAGE": "Yes"}, {"TEXT": "No", "MESSAGE": "No"}]),
        f"{ASKED}.ANSWERS[1]",
        "has no key 'TEXT'; it knows MESSAGE, REACTION",
    ),
    (question(ANSWERS=[{"MESSAGE": "Yes"}, {}]), f"{ASKED}.ANSWERS[1]", "needs 'MESSAGE'"),
    (question(SORT=1), ASKED, "has no key 'SORT'; it knows ANSWERS, FIELD_TYPE, QUESTION"),
    (
        lambda hook: hook.polls.send_data(chat_id=1489, data=None),  # type: ignore[arg-type]
        DATA,
        "must be an object with QUESTIONS",
    ),
    (lambda hook: hook.polls.send_data(chat_id=1489, data={}), DATA, "needs 'QUESTIONS'"),
    # References
    (named(None), "poll", NAME_IT),
    (named(0), "poll", NAME_IT),
    (named(-5), "poll", NAME_IT),
    (named(True), "poll", NAME_IT),
    (named(5012.0), "poll", NAME_IT),
    (named("weekly"), "poll", NAME_IT),
    (named("²"), "poll", NAME_IT),
    (named("{[1]: 2}"), "poll", NAME_IT),
    (named("{" * 5000), "poll", NAME_IT),
    (named({}), "poll", NAME_IT),
    (named([5012]), "poll", NAME_IT),
    (named({"vote_id": 77}), "poll", "vote_id names no poll; use message_id"),
    (named({"message_id": "x"}), "poll.message_id", "must be a positive number"),
    (named({"post_id": 0}), "poll.post_id", "must be a positive number"),
    (named({"attach_id": "91.5"}), "poll.attach_id", "must be a positive number"),
    (named({"signed_attach_id": " "}), "poll.signed_attach_id", "must be the text that the portal gave"),
    (named({"signed_attach_id": 91}), "poll.signed_attach_id", "must be the text that the portal gave"),
    (lambda hook: hook.polls.get_many([1, None]), "poll", NAME_IT),
    (lambda hook: hook.polls.stop("x"), "poll", NAME_IT),
    (lambda hook: hook.polls.resume("x"), "poll", NAME_IT),
    (lambda hook: hook.polls.recall("x"), "poll", NAME_IT),
    (lambda hook: hook.polls.voters("x"), "poll", NAME_IT),
    (lambda hook: hook.polls.report("x"), "poll", NAME_IT),
    (lambda hook: hook.polls.vote("x", answers="Yes"), "poll", NAME_IT),
    # Rules
    (lambda _: parse_rule("soon"), "rule", f"{RULES}, not 'soon'"),
    (lambda _: parse_rule(None), "rule", f"{RULES}, not None"),
    (lambda _: parse_rule({}), "rule", f"{RULES}, not {{}}"),
    (lambda _: parse_rule("{'quorum': 0}"), "rule.quorum", QUORUM),
    (lambda _: parse_rule({"quorum": 0}), "rule.quorum", QUORUM),
    (lambda _: parse_rule({"quorum": True}), "rule.quorum", QUORUM),
    (lambda _: parse_rule({"quorum": "many"}), "rule.quorum", QUORUM),
    # Connector messages
    (push("Hi"), "messages", "must be a list of messages"),
    (push(message()), "messages", "must be a list of messages"),
    (push(None), "messages", "must be a list of messages"),
    (push([]), "messages", "needs a message"),
    (push(["Hi"]), "messages[0]", "must be an object with user, message and chat"),
    (push([message(), message(user=None)]), "messages[1]", "needs 'user'"),
    (push([message(message=None)]), "messages[0]", "needs 'message'"),
    (push([message(chat=None)]), "messages[0]", "needs 'chat'"),
    (push([message(extra={})]), "messages[0]", "has no key 'extra'; it knows chat, message, user"),
    (push([message(user="u1")]), "messages[0].user", "must be an object with an id"),
    (push([message(user={"name": "Ann"})]), "messages[0].user", "needs 'id'"),
    (user(id=" "), "messages[0].user.id", "must not be blank"),
    (user(id=None), "messages[0].user.id", "must be text or a number"),
    (user(id=True), "messages[0].user.id", "must be text or a number"),
    (user(name=5), "messages[0].user.name", "must be text"),
    (user(sex="f"), "messages[0].user.sex", "must be male or female"),
    (user(gender="Male"), "messages[0].user.gender", "must be male or female"),
    (user(url="shop.example"), "messages[0].user.url", LINK),
    (user(picture="https://shop.example/a.png"), "messages[0].user.picture", "must be an object with a url"),
    (user(picture={}), "messages[0].user.picture", "needs 'url'"),
    (user(picture={"url": "ftp://x"}), "messages[0].user.picture.url", LINK),
    (user(skip_phone_validate=True), "messages[0].user.skip_phone_validate", "must be Y or N"),
    (push([message(message="Hi")]), "messages[0].message", "must be an object with an id"),
    (push([message(message={"text": "Hi"})]), "messages[0].message", "needs 'id'"),
    (push([message(message={"id": "m1"})]), "messages[0].message", "needs text or files"),
    (words(text=" "), "messages[0].message", "needs text or files"),
    (push([message(message={"id": "m1", "files": []})]), "messages[0].message", "needs text or files"),
    (words(text=5), "messages[0].message.text", "must be text"),
    (words(id=""), "messages[0].message.id", "must not be blank"),
    (words(date="yesterday"), "messages[0].message.date", SECONDS),
    (words(date=-1), "messages[0].message.date", SECONDS),
    (words(disable_crm="yes"), "messages[0].message.disable_crm", "must be Y or N"),
    (words(files={"url": "https://shop.example"}), "messages[0].message.files", "must be a list of files"),
    (words(files=["https://shop.example"]), "messages[0].message.files[0]", "must be an object with a url"),
    (words(files=[{"url": "/tmp/a.png"}]), "messages[0].message.files[0].url", LINK),
    (words(files=[{"url": "https://a b"}]), "messages[0].message.files[0].url", LINK),
    (
        words(files=[{"url": "https://a", "size": 1}]),
        "messages[0].message.files[0]",
        "has no key 'size'; it knows name, url",
    ),
    (words(user_id=" "), "messages[0].message.user_id", "must not be blank"),
    (push([message(chat={"name": "x"})]), "messages[0].chat", "needs 'id'"),
    (chat(id=1.5), "messages[0].chat.id", "must be text or a number"),
    (chat(url="javascript:alert(1)"), "messages[0].chat.url", LINK),
    (chat(title="x"), "messages[0].chat", "has no key 'title'; it knows id, name, url"),
    (push([message(chat=None)], action="update"), "messages[0]", "needs 'chat'"),
    (push([message(message={"id": "m1"})], action="update"), "messages[0].message", "needs text or files"),
    (push([message(message={})], action="delete"), "messages[0].message", "needs 'id'"),
    (push([], action="delete"), "messages", "needs a message"),
    (push([message()], connector=" "), "connector", "must be the id under which the connector is registered"),
    (push([message()], line="first"), "line", "must be a positive number, not 'first'"),
    (push([message()], line=0), "line", "must be a positive number, not 0"),
    # CRM chats
    (crm(entity_type="invoice"), "entity_type", "must be one of lead, deal, company, contact, not 'invoice'"),
    (crm(entity_type=None), "entity_type", "must be one of lead, deal, company, contact, not None"),
    (crm(entity_id="D_288"), "entity_id", "must be a positive number, not 'D_288'"),
    (crm(entity_id=0), "entity_id", "must be a positive number, not 0"),
    (crm(user_id=None), "user_id", "must be a positive number, not None"),
    (crm(chat_id="x"), "chat_id", "must be a chat's number or 'chatN', not 'x'"),
    (crm(chat_id=""), "chat_id", "must be a chat's number or 'chatN', not ''"),
    # Connectors and conversations
    (set_up(connector="a.b"), "connector", "must be an id of letters a-z, digits, '_' and '-', not 'a.b'"),
    (set_up(line=""), "line", "must be an open line's number or name, not ''"),
    (set_up(state="off"), "state", "must be one of present, inactive, absent, not 'off'"),
    (set_up(name=None), "name", "must be text, and neither blank nor '0'"),
    (set_up(handler_url="x"), "handler_url", "must be a link that starts with https:// or http://"),
    (set_up(chat_group=1), "chat_group", "must be True or False"),
    (set_up(data={"x": "y"}), "data", "has no key 'x'; it knows id, url, url_im, name"),
    (delivered({"message": {"id": "m1"}, "chat": {"id": "c1"}}), "messages[0]", "needs 'im'"),
    (delivered("m1"), "messages[0]", "must be an object with im, message and chat"),
    (history(), "chat_id", "give exactly one of chat_id and session_id"),
    (history(session_id="x"), "session_id", "must be a positive number, not 'x'"),
    (crm(message="0"), "message", "must be text, and neither blank nor '0'"),
    (crm(message=" "), "message", "must be text, and neither blank nor '0'"),
    # Chats
    (say(message="Hi"), "chat_id", "give either chat_id or user_id"),
    (say(message="Hi", chat_id=1, user_id=2), "chat_id", "give either chat_id or user_id"),
    (say(message=" ", chat_id=1), "message", "must be text, and not blank"),
    (say(message=None, chat_id=1), "message", "must be text, and not blank"),
    (say(message="Hi", chat_id="sg5"), "chat_id", "must be a chat's number or 'chatN', not 'sg5'"),
    (say(message="Hi", user_id="ann"), "user_id", "must be a positive number, not 'ann'"),
    (say(message="Hi", chat_id=1, reply_to=0), "reply_to", "must be a positive number, not 0"),
    (lambda hook: hook.chats.members(None), "chat_id", "must be a chat's number or 'chatN', not None"),  # type: ignore[arg-type]
    (lambda hook: hook.chats.find("a"), "title", "needs 2 characters or more"),
    # Calls and batches
    (call(""), "method", "'' is not the name of a REST method"),
    (call("user.get?ID=1"), "method", "'user.get?ID=1' is not the name of a REST method"),
    (call("../user.get"), "method", "'../user.get' is not the name of a REST method"),
    (call("user.get", [1]), "params", "must be a mapping of names to values"),
    (call("user.get", {"auth": "x"}), "params.auth", RESERVED),
    (call("user.get", {"Token": "x"}), "params.Token", RESERVED),
    (
        call("user.get", {"ID": object}),
        "params.ID",
        "is a type, which is no JSON value; pass text or a number",
    ),
    (batch(5), "commands['bad']", PAIR),
    (batch(("user.get",)), "commands['bad']", PAIR),
    (batch(("user get", {})), "commands['bad'].method", "'user get' is not the name of a REST method"),
    (batch(("user.get", {"auth": "x"})), "commands['bad'].params.auth", RESERVED),
]

#: Ballots for a poll of one answer, for one of several answers, and for a post with two questions.
BALLOTS: list[tuple[str, Any, str, str]] = [
    ("single", [], "answers", "needs an answer"),
    ("single", None, "answers", "needs an answer"),
    ("single", {}, "answers", "needs an answer"),
    ("single", {"Lunch?": []}, "answers['Lunch?']", "needs an answer"),
    ("single", "Cake", "answers[0]", f"'Cake' is no answer of this poll; {OFFER}"),
    ("single", "soup", "answers[0]", f"'soup' is no answer of this poll; {OFFER}"),
    ("single", 7, "answers[0]", f"7 is no answer of this poll; {OFFER}"),
    ("single", True, "answers[0]", f"True is no answer of this poll; {OFFER}"),
    ("single", "", "answers[0]", f"'' is no answer of this poll; {OFFER}"),
    ("single", ["Soup", "Pie"], "answers", "the question takes one answer only"),
    ("single", {"Dinner?": "Soup"}, "answers['Dinner?']", "is no question of this poll; it asks 'Lunch?'"),
    ("several", ["Soup", "Soup"], "answers", "names an answer twice"),
    ("several", ["Soup", None], "answers[1]", f"None is no answer of this poll; {OFFER}"),
    ("several", ["Soup", "Cake"], "answers[1]", f"'Cake' is no answer of this poll; {OFFER}"),
    ("several", [["Soup"]], "answers[0]", f"['Soup'] is no answer of this poll; {OFFER}"),
    ("double", "Same", "answers[0]", "'Same' is the text of several answers; use an id: {soup}, {pie}"),
    ("post", "Tea", "answers", "the poll has 2 questions; map each question to its answers"),
    ("post", {"Lunch?": "Tea"}, "answers['Lunch?'][0]", f"'Tea' is no answer of this poll; {TWO}"),
    ("post", {"Lunch?": "Soup", "{lunch}": "Pie"}, "answers", "names a question twice"),
    ("post", {"Dinner?": "Tea"}, "answers['Dinner?']", NO_QUESTION),
]


def test_at_least_sixty_bad_inputs_are_covered() -> None:
    assert len(CASES) + len(BALLOTS) >= 60


@pytest.mark.parametrize(
    ("use", "path", "rule"), CASES, ids=[f"{path}: {rule[:60]}" for _, path, rule in CASES]
)
def test_bad_input_is_refused_and_nothing_is_sent(
    portal: Emulator, hook: Bitrix24Hook, use: Use, path: str, rule: str
) -> None:
    with pytest.raises(Bitrix24ValidationError) as caught:
        use(hook)
    assert (caught.value.path, caught.value.rule) == (path, rule)
    assert f"{path}: {rule}" in str(caught.value)
    assert portal.requests.count() == 0


@pytest.fixture
def reference(portal: Emulator, hook: Bitrix24Hook) -> Callable[[str], Any]:
    """Make a poll of this kind and name it."""

    def make(kind: str) -> Any:
        if kind == "post":
            return {"post_id": portal.add_feed_post({"Lunch?": ["Soup", "Pie"], "Drink?": ["Tea", "Water"]})}
        texts = ["Same", "Same", "Tea"] if kind == "double" else ["Soup", "Pie", "Tea"]
        row = {"QUESTION": "Lunch?", "FIELD_TYPE": int(kind == "several")}
        answers = [{"MESSAGE": text} for text in texts]
        room = next(iter(portal.portal.chats)).id
        return hook.polls.send_data(chat_id=room, data={"QUESTIONS": [{**row, "ANSWERS": answers}]})

    return make


@pytest.mark.parametrize(("kind", "answers", "path", "rule"), BALLOTS)
def test_a_bad_ballot_is_refused_and_not_cast(
    *,
    portal: Emulator,
    hook: Bitrix24Hook,
    reference: Callable[[str], Any],
    kind: str,
    answers: Any,
    path: str,
    rule: str,
) -> None:
    name = reference(kind)
    asked = hook.polls.get(name).questions[0]
    ids = dict(zip(("soup", "pie", "tea"), (answer.id for answer in asked.answers), strict=False))
    if isinstance(answers, dict):
        answers = {key.replace("{lunch}", str(asked.id)): value for key, value in answers.items()}
    portal.requests.clear()
    with pytest.raises(Bitrix24ValidationError) as caught:
        hook.polls.vote(name, answers=answers)
    assert (caught.value.path, caught.value.rule) == (path, rule.format(**ids))
    assert [request.method for request in portal.requests] == ["vote.AttachedVote.get"]
