"""Who an external contact is, and every member who follows them (D:92114)."""

from bot.platforms.wecom.client import Answer, WeComClient

MOST_PAGES = 40
"""Of 500 followers each: more than a corp can have, so that a cursor that repeats ends, too."""


async def customer(client: WeComClient, external_userid: str) -> Answer:
    """externalcontact/get with all its pages as one answer. Raises as ``client.call`` does."""
    query = {"external_userid": external_userid}
    answer = await client.call("externalcontact/get", params=query)
    followers = list(answer.get("follow_user") or ())
    cursor, pages = answer.get("next_cursor"), 1
    while cursor and pages < MOST_PAGES:
        page = await client.call("externalcontact/get", params={**query, "cursor": str(cursor)})
        followers += page.get("follow_user") or ()
        cursor, pages = page.get("next_cursor"), pages + 1
    return {**answer, "follow_user": followers}
