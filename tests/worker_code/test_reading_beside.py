"""Many files are read in processes beside this one: the same is found, and nothing hangs."""

import os
from collections.abc import Callable, Generator

import pytest

from code_in_memory import MemoryTree, NoCache, texts_of
from d1_preflight.adapters.beside import Processes
from d1_preflight.code.file_job import Kind, answer, job
from d1_preflight.code.project_code import ProjectCode, read_code
from d1_preflight.code.readings import Means
from d1_preflight.code.source import Scope
from sampling import sampled

OWN = "d1_preflight.code.file_job"
HOSTILE = "worker_code.hostile_reader"
SOURCE = "export const load = (db) => db.prepare('SELECT {n} FROM t');\n"


def never() -> bool:
    return False


def jobs(*sources: str) -> list[bytes]:
    return [job(Kind.LOOK, "a.ts", [], source.encode()) for source in sources]


def project(odd: str = "") -> MemoryTree:
    files = {f"src/f{n:03}.ts": SOURCE.format(n=n) for n in range(160)}
    run = "export const run = (db, sql) => db.prepare(sql);\n"
    called = "import {run} from './run'; run(db, 'SELECT 1000 FROM t')"
    odd_file = {"src/odd.ts": odd} if odd else {}
    return MemoryTree({**files, "src/run.ts": run, "src/call.ts": called, **odd_file})


def read(tree: MemoryTree, beside: Processes, late: Callable[[], bool] = never) -> ProjectCode:
    return read_code(tree, Scope(), NoCache(), Means(late, beside=beside))


def pids(beside: Processes) -> list[int]:
    return [process._child.pid for process in beside._running]


def test_what_is_read_beside_is_what_is_read_here() -> None:
    tree = project()

    with Processes(OWN, 2) as beside:
        found = read(tree, beside)
        assert beside.is_running

    here = read_code(tree, Scope(), NoCache())
    assert found.queries == here.queries
    assert len(found.queries) == 161
    places = [(query.path, query.line) for query in found.queries]
    assert found.routes(places) == here.routes(places)


def test_a_file_that_ends_its_reader_is_left_out_and_said() -> None:
    with Processes(HOSTILE, 2) as beside:
        code = read(project(odd=f"// end\n{SOURCE}"), beside)

    assert len(code.queries) == 161
    assert "src/odd.ts ended its reader: left out" in code.notes
    assert code.left_out == 1


@pytest.mark.matrix  # the suite has one that ends it: above
def test_a_file_that_holds_its_reader_is_left_out() -> None:
    with Processes(HOSTILE, 2, slowest_s=0.6) as beside:
        found = dict(beside.answers(jobs("let a", "let b // hold", "let c"), never))

    assert found[1] is None
    assert all(found[n] for n in (0, 2))


@pytest.mark.matrix  # the suite has their answers: test_what_is_read_beside_…
def test_processes_that_came_up_before_their_jobs_answer_them() -> None:
    with Processes(OWN, 2) as beside:
        beside.start()
        beside.start()
        assert len(pids(beside)) == 2
        found = dict(beside.answers(jobs("let a", "let b"), never))

    assert [*found] == [0, 1] or [*found] == [1, 0]
    assert all(found.values())


@pytest.mark.parametrize("program", sampled(["/bin/false", "/nowhere/python", "/bin/cat"], 2))
def test_without_processes_the_files_are_read_here(program: str) -> None:
    with Processes(OWN, 2, executable=program) as beside:
        code = read(project(), beside)
        assert not beside.is_running

    assert len(texts_of(code)) == 161


def test_on_one_processor_none_is_started() -> None:
    with Processes(OWN, 1) as beside:
        assert list(beside.answers(jobs("let a"), never)) == []
        assert not beside.is_running


def test_what_comes_too_late_is_left_and_its_reader_ended() -> None:
    answered: list[int] = []

    with Processes(HOSTILE, 2) as beside:
        found = beside.answers(jobs("let a", *["let b // hold"] * 40), lambda: bool(answered))
        for number, _ in found:
            answered.append(number)
        assert not beside.is_running

    assert answered == [0]


def test_an_interrupt_ends_every_process() -> None:
    started: list[int] = []

    def interrupted() -> Generator[tuple[int, bytes | None]]:
        with Processes(HOSTILE, 2) as beside:
            for found in beside.answers(jobs("let a", *["let b // hold"] * 40), never):
                started.extend(pids(beside))
                yield found

    answers = interrupted()
    next(answers)
    with pytest.raises(KeyboardInterrupt):
        answers.throw(KeyboardInterrupt())

    assert len(started) == 2
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.matrix  # the suite has one such file: test_a_file_that_ends_its_reader…
def test_readers_that_their_first_file_ends_are_replaced_a_few_times() -> None:
    with Processes(HOSTILE, 2) as beside:
        found = dict(beside.answers(jobs(*["let b // end"] * 6), never))
        assert not beside.is_running

    assert list(found.values()) == [None] * len(found)
    assert len(found) >= 4


def test_a_job_and_its_answer_are_json() -> None:
    found = answer(job(Kind.LOOK, "a.ts", [], SOURCE.encode()))

    assert found.startswith(b'{"scan":')
    assert b'"facts":' in found
