import pickle

from patterns_os.graph.memo import Forgetful, Stored, remember
from patterns_os.graph.sources import Sources


class Kept(dict):
    def put(self, key, answer):
        self[key] = answer


def asked(memo, sources, work, question=b"q"):
    return remember(memo, question, Sources(sources), work)


def test_an_answer_is_worked_out_once_while_nothing_changes():
    memo, calls = Kept(), []

    def work(sources):
        calls.append(1)
        return sources["a.py"]

    for _ in range(3):
        assert asked(memo, {"a.py": b"1", "b.py": b"1"}, work) == b"1"
    assert asked(memo, {"a.py": b"1", "b.py": b"another"}, work) == b"1"
    assert len(calls) == 1


def test_a_file_that_was_looked_at_and_changed_asks_again():
    memo = Kept()
    assert asked(memo, {"a.py": b"1"}, lambda sources: sources["a.py"]) == b"1"
    assert asked(memo, {"a.py": b"2"}, lambda sources: sources["a.py"]) == b"2"


def test_a_file_that_was_missing_and_is_there_asks_again():
    memo = Kept()
    assert asked(memo, {}, lambda sources: "a.py" in sources) is False
    assert asked(memo, {"a.py": b""}, lambda sources: "a.py" in sources) is True


def test_who_lists_the_files_is_asked_again_when_one_comes():
    memo = Kept()
    assert asked(memo, {"a.py": b"1"}, list) == ["a.py"]
    assert asked(memo, {"a.py": b"2"}, list) == ["a.py"]
    assert asked(memo, {"a.py": b"2", "b.py": b""}, list) == ["a.py", "b.py"]


def test_another_question_has_another_answer():
    memo = Kept()
    assert asked(memo, {}, lambda _: 1, b"one") == 1
    assert asked(memo, {}, lambda _: 2, b"two") == 2


def test_who_forgets_works_it_out_each_time():
    answers = iter([1, 2])
    assert [asked(Forgetful(), {}, lambda _: next(answers)) for _ in range(2)] == [1, 2]


def test_stored_items_are_those_that_were_given():
    items = ("a", "b", "c")
    stored = Stored.of(items)
    again = pickle.loads(pickle.dumps(stored))
    assert again == items
    assert stored == again
    assert (len(again), again[1], again[1:], list(again)) == (3, "b", ("b", "c"), ["a", "b", "c"])
    assert hash(again) == hash(items)
    assert repr(again) == repr(items)
    assert again != ("a",)
    assert Stored.of(()) == ()
    assert Stored.of(stored) is stored
