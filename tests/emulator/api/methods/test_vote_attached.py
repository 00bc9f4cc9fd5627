"""vote.AttachedVote.*: what is done with a poll that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ...conftest import IM_ENTITY, Clock, ballot, by_message

if TYPE_CHECKING:
    from airflow_provider_b24.emulator import Emulator

    from ...conftest import Caller

AV = "vote.AttachedVote."
BLOG_ENTITY = "Bitrix\\Vote\\Attachment\\BlogPostConnector"


@pytest.fixture
def poll(caller: Caller) -> dict:
    return caller.attach(caller.send(OPTIONS=0)["messageId"])


@pytest.fixture
def open_poll(caller: Caller) -> dict:
    return caller.attach(caller.send(OPTIONS=1)["messageId"])


def counters(attach: dict) -> list:
    return [answer["COUNTER"] for row in attach["QUESTIONS"].values() for answer in row["ANSWERS"].values()]


def vote(caller: Caller, attach: dict, *texts: str) -> Any:
    return caller.result(AV + "vote", by_message(attach["entityId"], ballot=ballot(attach, *texts)))


class TestNamingAPoll:
    def test_a_poll_is_found_by_message_attach_id_signature_and_page_uid(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        uid = poll["resultUrl"].removeprefix("/vote-result/")
        for binding in (
            by_message(poll["entityId"]),
            {"attachId": poll["ID"]},
            {"attachId": str(poll["ID"])},
            {"signedAttachId": poll["signedAttachId"]},
            {"signedAttachId": uid},
            by_message(str(poll["entityId"]), moduleId="Im"),
        ):
            assert caller.result(AV + "get", binding)["attach"]["ID"] == poll["ID"]
        assert len(uid) == 16

    @pytest.mark.parametrize(
        "binding",
        [
            {"attachId": 0},
            {"signedAttachId": "30091.0000"},
            {"signedAttachId": "unknown"},
            by_message(1),
            by_message(5012, entityType="Bitrix\\\\Vote\\\\Attachment\\\\ImMessageConnector"),
            by_message(5012, entityType="\\" + IM_ENTITY),
        ],
    )
    def test_a_reference_to_no_poll_is_not_found(
        self, caller: Caller, poll: dict[str, Any], binding: dict[str, Any]
    ) -> None:
        assert caller.error(AV + "get", binding) == (400, "ATTACH_NOT_FOUND")

    def test_a_vote_id_in_place_of_an_attach_id_is_not_found(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        assert caller.error(AV + "get", {"attachId": poll["VOTE_ID"]}) == (400, "ATTACH_NOT_FOUND")

    @pytest.mark.parametrize("binding", [{}, {"entityId": 5012}, {"ATTACHID": 30091}])
    def test_a_missing_or_incomplete_reference_is_refused_with_code_100(
        self, caller: Caller, poll: dict[str, Any], binding: dict[str, Any]
    ) -> None:
        assert caller.error(AV + "get", binding) == (400, "100")

    def test_a_poll_in_a_chat_closed_to_the_caller_is_denied(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        portal.chat(caller.general).members.remove(1)
        assert caller.error(AV + "get", {"attachId": poll["ID"]}) == (400, "ATTACH_READ_ACCESS_DENIED")

    def test_a_signature_allows_get_but_not_vote_stop_or_recall(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        portal.chat(caller.general).members.remove(1)
        signed = {"signedAttachId": poll["signedAttachId"]}
        assert caller.result(AV + "get", signed)["attach"]["canVote"] is False
        for name, more in (("vote", {"ballot": ballot(poll, "Yes")}), ("stop", {}), ("recall", {})):
            assert caller.error(AV + name, {**signed, **more}) == (400, "ATTACH_READ_ACCESS_DENIED")

    def test_a_feed_post_has_polls_of_several_questions(self, caller: Caller, portal: Emulator) -> None:
        post = portal.add_feed_post({"Where?": ["Here", "There"], "When?": ["Now", "Then"]})
        named = {"moduleId": "blog", "entityType": BLOG_ENTITY, "entityId": post}
        attach = caller.result(AV + "get", named)["attach"]
        assert [row["QUESTION"] for row in attach["QUESTIONS"].values()] == ["Where?", "When?"]
        voted = caller.result(AV + "vote", {**named, "ballot": ballot(attach, "Here", "Then")})["attach"]
        assert counters(voted) == [1, "0", "0", 1]


class TestReading:
    def test_numbers_of_rows_are_text_and_numbers_of_the_poll_are_ints(self, poll: dict[str, Any]) -> None:
        row = next(iter(poll["QUESTIONS"].values()))
        assert {type(poll[name]) for name in ("ID", "VOTE_ID", "COUNTER", "ANONYMITY", "entityId")} == {int}
        assert (row["COUNTER"], row["FIELD_TYPE"]) == ("0", "0")
        assert counters(poll) == ["0", "0"]
        assert poll["userAnswerMap"] == []

    def test_counters_of_touched_rows_are_numbers_in_the_reply_to_a_vote_only(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        assert counters(vote(caller, poll, "Yes")["attach"]) == [1, "0"]
        assert counters(caller.attach(poll["entityId"])) == ["1", "0"]

    def test_one_can_revote_before_the_first_vote_if_the_poll_allows_it(
        self, poll: dict[str, Any], open_poll: dict[str, Any]
    ) -> None:
        assert (poll["canVote"], poll["canRevote"]) == (True, False)
        assert (open_poll["canVote"], open_poll["canRevote"]) == (True, True)

    def test_percent_is_the_share_of_the_question_rounded_to_two_digits(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        for user, text in ((2, "Yes"), (3, "Yes"), (4, "No")):
            portal.vote(poll["entityId"], user_id=user, answers=[text])
        row = next(iter(caller.attach(poll["entityId"])["QUESTIONS"].values()))
        assert [answer["PERCENT"] for answer in row["ANSWERS"].values()] == [66.67, 33.33]

    def test_only_the_author_can_edit(self, caller: Caller, portal: Emulator, poll: dict[str, Any]) -> None:
        portal.poll(poll["entityId"]).author_id = 2
        assert caller.attach(poll["entityId"])["canEdit"] is False

    def test_paths_and_ampersands_are_escaped_as_php_does(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        text = caller.post(AV + "get", {"attachId": poll["ID"]}).text
        assert "\\/vote-result\\/" in text
        assert "\\u0026SITE_ID=s1" in text


class TestGetMany:
    def many(self, *ids: object) -> dict:
        return {"moduleId": "im", "entityType": IM_ENTITY, "entityIds": list(ids)}

    def test_get_many_keeps_order_and_repetition_and_drops_zeros(self, caller: Caller) -> None:
        one, two = (caller.send()["messageId"] for _ in range(2))
        items = caller.result(AV + "getMany", self.many(two, 0, one, "x", str(two)))["items"]
        assert [item["entityId"] for item in items] == [two, one, two]

    def test_get_many_of_no_ids_returns_no_items(self, caller: Caller) -> None:
        assert caller.result(AV + "getMany", self.many()) == {"items": []}

    def test_get_many_with_one_unknown_poll_returns_an_empty_array(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        assert caller.result(AV + "getMany", self.many(poll["entityId"], 7)) == []

    def test_get_many_with_one_forbidden_poll_returns_an_empty_array(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        other = caller.send(chat_id=portal.add_chat("Left", [1, 2]))["messageId"]
        portal.chat(portal.poll(other).chat_id).members.remove(1)
        assert caller.result(AV + "getMany", self.many(poll["entityId"], other)) == []

    def test_get_many_reads_fifty_ids_and_fails_for_fifty_one(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        message = poll["entityId"]
        assert len(caller.result(AV + "getMany", self.many(*[message] * 50, 0))["items"]) == 50
        assert caller.result(AV + "getMany", self.many(*[message] * 51)) == []

    def test_get_many_answers_400_with_the_documented_errors_quirk(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        portal.quirks.documented_errors = True
        reply = caller.post(AV + "getMany", self.many(*[poll["entityId"]] * 51))
        assert (reply.status_code, reply.json()) == (
            400,
            {"error": "", "error_description": "Too many entity ids"},
        )

    def test_entity_ids_must_be_an_array(self, caller: Caller) -> None:
        params = {"moduleId": "im", "entityType": IM_ENTITY, "entityIds": 5}
        body = caller.post(AV + "getMany", params).json()
        assert body["error_description"] == (
            "Invalid value {5} to match with parameter {entityIds}. Should be value of type array."
        )


class TestVoting:
    def test_a_first_vote_counts(self, caller: Caller, poll: dict[str, Any]) -> None:
        attach = vote(caller, poll, "Yes")["attach"]
        assert (attach["COUNTER"], attach["isVoted"], attach["canVote"]) == (1, True, False)
        question, answers = next(iter(attach["userAnswerMap"].items()))
        answer, event = next(iter(answers.items()))
        assert (event["ANSWER_ID"], event["EVENT_ID"]) == (answer, event["ID"])
        assert question in attach["QUESTIONS"]

    def test_a_second_vote_is_an_empty_array_and_changes_nothing(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        vote(caller, poll, "Yes")
        assert vote(caller, poll, "No") == []
        assert counters(caller.attach(poll["entityId"])) == ["1", "0"]

    def test_where_revoting_is_allowed_the_new_vote_replaces_the_old(
        self, caller: Caller, open_poll: dict[str, Any]
    ) -> None:
        vote(caller, open_poll, "Yes")
        attach = vote(caller, open_poll, "No")["attach"]
        assert (attach["COUNTER"], counters(attach)) == (1, [0, 1])

    def test_a_bad_ballot_loses_the_vote_that_it_was_to_replace(
        self, caller: Caller, open_poll: dict[str, Any]
    ) -> None:
        vote(caller, open_poll, "Yes")
        question = next(iter(open_poll["QUESTIONS"]))
        assert caller.result(AV + "vote", by_message(open_poll["entityId"], ballot={question: ["1"]})) == []
        assert caller.attach(open_poll["entityId"])["COUNTER"] == 0

    @pytest.mark.parametrize("empty", [{}, [], {"7": ["8"]}])
    def test_a_ballot_with_nothing_valid_is_an_empty_array(
        self, caller: Caller, poll: dict[str, Any], empty: Any
    ) -> None:
        assert caller.result(AV + "vote", by_message(poll["entityId"], ballot=empty)) == []

    def test_unknown_answers_are_dropped_and_the_rest_counts(self, caller: Caller) -> None:
        attach = caller.attach(caller.send(answers=("A", "B", "C"), field_type=1)["messageId"])
        question, wanted = next(iter(ballot(attach, "A", "C").items()))
        cast = by_message(attach["entityId"], ballot={question: [*wanted, "1"], "9": ["9"]})
        assert counters(caller.result(AV + "vote", cast)["attach"]) == [1, "0", 1]

    def test_a_radio_counts_only_the_first_valid_answer_of_the_ballot(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        question, (yes, no) = next(iter(ballot(poll, "Yes", "No").items()))
        cast = by_message(poll["entityId"], ballot={question: ["1", no, yes]})
        assert counters(caller.result(AV + "vote", cast)["attach"]) == ["0", 1]

    def test_a_single_answer_may_be_a_number_instead_of_a_list(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        question, (yes,) = next(iter(ballot(poll, "Yes").items()))
        cast = by_message(poll["entityId"], ballot={question: int(yes)})
        assert counters(caller.result(AV + "vote", cast)["attach"]) == [1, "0"]

    def test_a_missing_ballot_has_code_100(self, caller: Caller, poll: dict[str, Any]) -> None:
        body = caller.post(AV + "vote", by_message(poll["entityId"])).json()
        assert body["error_description"] == "Could not find value for parameter {ballot}"
        assert caller.error(AV + "vote", by_message(poll["entityId"], ballot="5")) == (400, "100")

    def test_recalling_takes_the_vote_back_where_that_is_allowed(
        self, caller: Caller, open_poll: dict[str, Any]
    ) -> None:
        vote(caller, open_poll, "Yes")
        attach = caller.result(AV + "recall", by_message(open_poll["entityId"]))["attach"]
        assert (attach["COUNTER"], counters(attach), attach["userAnswerMap"]) == (0, [0, "0"], [])

    def test_recall_succeeds_without_a_vote_and_returns_an_empty_array_for_a_final_one(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        named = by_message(poll["entityId"])
        assert caller.result(AV + "recall", named)["attach"]["COUNTER"] == 0
        vote(caller, poll, "Yes")
        assert caller.result(AV + "recall", named) == []
        assert caller.attach(poll["entityId"])["COUNTER"] == 1


class TestStopping:
    def test_a_stopped_poll_is_finished_and_refuses_votes(
        self, caller: Caller, clock: Clock, poll: dict[str, Any]
    ) -> None:
        assert caller.result(AV + "stop", by_message(poll["entityId"])) == []
        clock.pass_by(1)
        attach = caller.attach(poll["entityId"])
        assert (attach["isFinished"], attach["canVote"], attach["isVoted"]) == (True, False, False)
        cast = by_message(poll["entityId"], ballot=ballot(poll, "Yes"))
        assert caller.error(AV + "vote", cast) == (400, "510")
        assert caller.result(AV + "recall", by_message(poll["entityId"])) == []

    def test_a_vote_in_the_second_of_the_stop_still_counts(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        caller.result(AV + "stop", by_message(poll["entityId"]))
        assert vote(caller, poll, "Yes")["attach"]["isFinished"] is True

    def test_a_vote_in_a_stopped_poll_is_403_with_the_documented_errors_quirk(
        self, caller: Caller, portal: Emulator, clock: Clock, poll: dict[str, Any]
    ) -> None:
        portal.quirks.documented_errors = True
        portal.stop_poll(poll["entityId"])
        clock.pass_by(1)
        cast = by_message(poll["entityId"], ballot=ballot(poll, "Yes"))
        reply = caller.post(AV + "vote", cast)
        assert (reply.status_code, reply.json()) == (
            403,
            {"error": "403", "error_description": "The poll is inactive."},
        )

    def test_a_resumed_poll_is_open_for_a_year(
        self, caller: Caller, clock: Clock, poll: dict[str, Any]
    ) -> None:
        named = by_message(poll["entityId"])
        caller.result(AV + "stop", named)
        clock.pass_by(1)
        assert caller.result(AV + "resume", named) == []
        assert caller.attach(poll["entityId"])["isFinished"] is False
        clock.pass_by(366 * 86_400)
        assert caller.attach(poll["entityId"])["isFinished"] is True

    def test_only_the_first_stop_posts_a_notice_in_the_chat(
        self, caller: Caller, portal: Emulator, clock: Clock, poll: dict[str, Any]
    ) -> None:
        named = by_message(poll["entityId"])
        for name in ("stop", "stop", "resume", "stop"):
            caller.result(AV + name, named)
            clock.pass_by(1)
        notices = [message for message in portal.messages(caller.general) if message.author_id == 0]
        assert len(notices) == 1

    def test_only_the_author_may_stop_or_resume(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        portal.poll(poll["entityId"]).author_id = 2
        for name in ("stop", "resume"):
            assert caller.error(AV + name, by_message(poll["entityId"])) == (400, "510")


class TestVoters:
    def voters(self, caller: Caller, poll: dict[str, Any]) -> dict:
        return caller.result(AV + "getWithVoted", by_message(poll["entityId"]))["voted"]

    def test_voters_are_listed_by_answer(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        portal.vote(poll["entityId"], user_id=2, answers=["No"])
        (answer,) = next(iter(ballot(poll, "No").values()))
        anna = {"ID": 2, "NAME": "Anna Petrova", "IMAGE": "", "WORK_POSITION": "Analyst"}
        assert self.voters(caller, poll) == {answer: [anna]}

    def test_voters_of_a_poll_without_votes_are_an_empty_list(
        self, caller: Caller, poll: dict[str, Any]
    ) -> None:
        assert self.voters(caller, poll) == []

    def test_an_anonymous_poll_hides_voters_but_shows_counts_and_ones_own_answer(
        self, caller: Caller
    ) -> None:
        poll = caller.attach(caller.send(ANONYMITY=2)["messageId"])
        assert vote(caller, poll, "Yes")["attach"]["userAnswerMap"] != []
        assert self.voters(caller, poll) == []
        (answer,) = next(iter(ballot(poll, "Yes").values()))
        params = by_message(poll["entityId"], answerId=answer)
        body = caller.post(AV + "getAnswerVoted", params).json()
        assert (body["result"], body["total"]) == ({"items": []}, 0)
        assert counters(caller.attach(poll["entityId"])) == ["1", "0"]

    def test_page_size_is_between_one_and_fifty(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        users = [portal.add_user(f"Voter {number}") for number in range(12)]
        for user in users:
            portal.vote(poll["entityId"], user_id=user, answers=["Yes"])
        for asked, shown in ((None, 10), (0, 1), (3, 3), (500, 12)):
            params = by_message(poll["entityId"]) | ({} if asked is None else {"pageSize": asked})
            voted = caller.result(AV + "getWithVoted", params)["voted"]
            assert len(next(iter(voted.values()))) == shown

    def test_voters_of_an_answer_come_fifty_a_page(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        for number in range(60):
            portal.vote(poll["entityId"], user_id=portal.add_user(f"Voter {number}"), answers=["Yes"])
        (answer,) = next(iter(ballot(poll, "Yes").values()))
        params = by_message(poll["entityId"], answerId=answer)
        first = caller.post(AV + "getAnswerVoted", params).json()
        rest = caller.post(AV + "getAnswerVoted", params | {"start": first["next"]}).json()
        assert (first["total"], first["next"], len(first["result"]["items"])) == (60, 50, 50)
        assert ("next" in rest, len(rest["result"]["items"])) == (False, 10)

    def test_an_answer_of_another_poll_is_denied(self, caller: Caller, poll: dict[str, Any]) -> None:
        assert caller.error(AV + "getAnswerVoted", by_message(poll["entityId"], answerId=1)) == (400, "510")


class TestDownload:
    def test_the_report_is_an_html_table_with_the_content_type_of_a_spreadsheet(
        self, caller: Caller, portal: Emulator, poll: dict[str, Any]
    ) -> None:
        portal.vote(poll["entityId"], user_id=2, answers=["Yes"])
        reply = caller.post(AV + "download", {"attachId": poll["ID"]})
        assert reply.headers["content-disposition"] == f"attachment;filename=vote{poll['VOTE_ID']}.xls"
        assert reply.headers["content-type"] == "application/vnd.ms-excel"
        assert "<td>Yes</td><td>1</td><td>Anna Petrova</td>" in reply.text
