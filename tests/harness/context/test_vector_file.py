import logging
import multiprocessing
import sqlite3

import numpy as np
import pytest

from harness.context.vector_file import VectorFile

SIZE = 8


def key(number):
    return number.to_bytes(32, "big")


def rows(first, last):
    return {key(i): np.full(SIZE, i, np.float32) for i in range(first, last)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "vectors.sqlite"


@pytest.fixture
def open_file(path):
    opened = []

    def make(**options):
        opened.append(VectorFile(path, **options))
        return opened[-1]

    yield make
    for file in opened:
        file.close()


def held(file, numbers):
    found = file.find(map(key, numbers))
    assert all((vector == int.from_bytes(k, "big")).all() for k, vector in found.items())
    return sorted(int.from_bytes(k, "big") for k in found)


def test_what_is_kept_outlives_the_process(open_file):
    first = open_file()
    first.keep(rows(0, 3))
    first.close()
    assert held(open_file(), range(5)) == [0, 1, 2]


def test_another_process_sees_it_at_once(open_file):
    one, other = open_file(), open_file()
    assert held(other, [0]) == []
    one.keep(rows(0, 1))
    assert held(other, [0]) == [0]


def test_a_vector_kept_twice_is_no_error(open_file):
    file = open_file()
    file.keep(rows(0, 3))
    file.keep(rows(1, 5))
    assert held(file, range(9)) == [0, 1, 2, 3, 4]


def test_more_keys_than_a_statement_takes_are_found(open_file):
    file = open_file()
    file.keep(rows(0, 1200))
    assert held(file, range(1300)) == list(range(1200))


def test_it_stays_within_its_bound_and_the_oldest_go_first(open_file, path):
    file = open_file(max_bytes=100_000)
    for first in range(0, 3000, 50):
        file.keep(rows(first, first + 50))
    kept = held(file, range(3000))
    assert kept == list(range(3000 - len(kept), 3000))
    assert len(kept) > 300
    file.close()
    assert path.stat().st_size < 150_000


def _write(path, first):
    file = VectorFile(path, busy_ms=60_000)
    for i in range(first, first + 50):
        file.keep(rows(i, i + 1))
    file.close()


def test_several_processes_write_at_once(open_file, path):
    open_file().keep(rows(200, 201))
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(path, 50 * i)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert held(open_file(), range(150)) == list(range(150))


def broken(path):
    path.write_bytes(b"this is no database" * 1000)


def newer(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def another_table(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE vectors (words TEXT)")
    connection.close()


def a_folder(path):
    path.mkdir()


@pytest.mark.parametrize("spoil", [broken, newer, another_table, a_folder])
def test_a_file_that_can_not_be_used_is_left_alone_with_one_warning(open_file, path, caplog, spoil):
    path.parent.mkdir()
    spoil(path)
    file = open_file()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            file.keep(rows(0, 1))
            assert held(file, [0]) == []
    assert len(caplog.records) == 1
    assert str(path) in caplog.text


@pytest.mark.parametrize("spoil", [broken, newer])
def test_a_file_of_somebody_elses_stays_as_it_is(open_file, path, spoil):
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes()
    open_file().keep(rows(0, 1))
    assert path.read_bytes() == before


def test_a_locked_file_is_passed_over_until_it_is_free(open_file, path, caplog):
    open_file().keep(rows(0, 1))
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    file = open_file()
    with caplog.at_level(logging.WARNING):
        file.keep(rows(1, 2))
        lock.close()
        file.keep(rows(2, 3))
    assert not caplog.records
    assert held(open_file(), range(3)) == [0, 2]
