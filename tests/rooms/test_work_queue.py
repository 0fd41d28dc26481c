"""procrastinate's own tables: made, found as they are, and brought up to date when a newer version of it serves."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from healthsvc.store import Database
from healthsvc.store.work_queue import BASELINE, prepare, waiting

OLD = "03.02.00_50_post_batch_defer_jobs.sql"


def steps(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT name FROM work_queue_step")).scalars())


def functions(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(text("SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%'")).scalars())


def files() -> list[Path]:
    from procrastinate.schema import migrations_path

    return sorted(Path(migrations_path).glob("*.sql"))


def test_what_runs_with_a_start_ends_before_the_first_that_has_to_wait() -> None:
    some = [Path(name) for name in ("1_01_pre_a.sql", "2_01_pre_b.sql", "2_50_post_b.sql", "3_01_pre_c.sql")]
    assert [one.name for one in waiting(frozenset({"1_01_pre_a.sql"}), some, contract=False)] == ["2_01_pre_b.sql"]
    assert len(waiting(frozenset(), some, contract=True)) == 4
    assert waiting(frozenset(one.name for one in some), some, contract=False) == []


@pytest.mark.postgres
def test_an_older_queue_is_brought_up_to_date_in_two_steps(postgres_url: str) -> None:
    database = Database.open(postgres_url, validate=lambda _: [])
    engine = database.engine
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE work_queue_step (name VARCHAR PRIMARY KEY)"))
    for path in files():  # as a site has it that began with an older procrastinate
        if path.name <= OLD:
            with engine.begin() as connection:
                connection.connection.driver_connection.execute(path.read_text(encoding="utf-8"))  # type: ignore[union-attr]
                connection.execute(text("INSERT INTO work_queue_step VALUES (:name)"), {"name": path.name})
    prepare(engine)
    new = {path.name for path in files() if path.name > OLD}
    run = steps(engine) & new
    assert run
    assert all("_pre_" in name for name in run), "what an older process would not survive waits"
    prepare(engine, contract=True)
    assert new <= steps(engine)
    upgraded = functions(engine)
    database.close()
    assert "procrastinate_retry_job_v2" in upgraded


@pytest.mark.postgres
def test_tables_that_nobody_wrote_down_are_taken_for_the_first_ones(postgres_url: str) -> None:
    database = Database.open(postgres_url, validate=lambda _: [])
    prepare(database.engine)
    assert steps(database.engine) == {path.name for path in files()}
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE work_queue_step"))
    prepare(database.engine)
    assert steps(database.engine) == {path.name for path in files() if path.name <= BASELINE}
    database.close()
