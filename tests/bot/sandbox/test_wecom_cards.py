import pytest

from bot.sandbox.wecom.cards import check
from bot.sandbox.wecom.errors import No

ROW = {"keyname": "电话", "value": "138"}
URL = {"type": 1, "url": "https://leads.example"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"card_type": "poster"}, 42031),
        ({"main_title": {"desc": "no title"}}, 42033),
        ({"horizontal_content_list": [ROW] * 7}, 42035),
        ({"horizontal_content_list": [{"value": "138"}]}, 42027),
        ({"horizontal_content_list": [{**ROW, "type": 1}]}, 42028),
        ({"horizontal_content_list": [{**ROW, "type": 3}]}, 42050),
        ({"horizontal_content_list": [{**ROW, "value": 138}]}, 40058),
        ({"jump_list": [{"title": "看", **URL}] * 4}, 42042),
        ({"jump_list": [{"title": "看", "type": 1, "url": "leads.example"}]}, 45034),
        ({"button_list": []}, 42038),
        ({"button_list": [{"text": "领取", "key": "/领取 1"}] * 7}, 42038),
        ({"button_list": [{"text": "", "key": "/领取 1"}]}, 42038),
        ({"button_list": [{"text": "领取"}]}, 42039),
        ({"button_list": [{"text": "领取", "key": "汉" * 342}]}, 42039),
        ({"button_selection": {"option_list": [{"id": "a", "text": "高"}]}}, 42043),
        ({"button_selection": {"question_key": "q", "option_list": []}}, 42037),
        ({"button_selection": {"question_key": "q", "option_list": [{"text": "高"}]}}, 42040),
        ({"button_selection": {"question_key": "q", "option_list": [{"id": "a"}]}}, 42041),
        ({"action_menu": {"action_list": [{"text": "x", "key": "k"}] * 2}}, 42051),
        ({"card_action": {"type": 3}}, 42045),
        ({"task_id": ""}, 42014),
        ({"task_id": "lead 1"}, 42014),
        ({"task_id": "x" * 129}, 42014),
        ({"card_type": "text_notice"}, 42045),
        ({"card_type": "news_notice", "card_action": URL}, 42044),
        ({"card_type": "vote_interaction"}, 42043),
        ({"card_type": "multiple_interaction", "select_list": []}, 42047),
    ],
)
def test_a_card_is_refused_with_the_code_of_its_broken_field(card, changes, code):
    with pytest.raises(No) as refused:
        check(card(**changes))

    assert refused.value.errcode == code


def test_texts_longer_than_advised_are_the_clients_business(card):
    check(card(main_title={"title": "长" * 100, "desc": "长" * 100}))


def test_a_changed_card_needs_no_task_id(card):
    changed = card()
    del changed["task_id"]

    check(changed, update=True)


def test_a_group_robot_may_not_send_buttons(card):
    with pytest.raises(No) as refused:
        check(card(), robot=True)

    assert refused.value.errcode == 42031
