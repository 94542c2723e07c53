"""What the migrations make of what an older installation has."""

from alembic import command
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import create_async_engine

from store.migrate import _config, migrate
from tests.handlers.people import captured, lead, says

ANNA = {"name": "欧阳静", "company": "云栖"}
SIMA = {"name": "司马光", "company": "重工集团", "wechat": "simaguang8", "email": "s@x.cn"}
ZHU = {"name": "诸葛亮", "email": "z@x.cn"}


async def downgraded(url, revision):
    """As the database was then, with everything in it; the columns its leads had."""

    def back(conn):
        command.downgrade(_config(conn), revision)
        return {column["name"] for column in inspect(conn).get_columns("leads")}

    # Not the store's: SQLite drops no column of a table whose foreign keys it looks after.
    engine = create_async_engine(url)
    async with engine.begin() as conn:
        had = await conn.run_sync(back)
    await engine.dispose()
    return had


async def test_what_was_merged_before_tells_its_names_to_whom_it_went_to(store, database):
    """0016: a chain of merges ends at the lead that stays; who is nobody else has no other name."""
    kept, other, third = [await captured(store, **person) for person in (ANNA, SIMA, ZHU)]
    alone = await captured(store, name="赵丽", wechat="zhaoli")
    await says(store, "chenzg", f"合并 {other.id} {third.id}")
    await says(store, "chenzg", f"合并 {kept.id} {other.id}")
    merged = await lead(store, kept.id)
    assert merged.email == "s@x.cn"
    assert "other_names" not in await downgraded(database, "0015")

    await migrate(store.engine)

    known = {n.id: set((await lead(store, n.id)).other_names) for n in (kept, other, third, alone)}
    said = {"司马光", "重工集团", "simaguang8", "s@x.cn", "诸葛亮", "z@x.cn"}
    assert known == {kept.id: said, other.id: set(), third.id: set(), alone.id: set()}
    assert set(merged.other_names) <= said, "what is kept today, and what fills its blanks since"
