import marshal
import os
import subprocess
import sys

import pytest

from patterns_os.adapters.files.memo import FileMemo, memo_of, share


def saved(path, program="p", **entries):
    memo = FileMemo(path, program)
    for key, answer in entries.items():
        memo.put(key, answer)
    memo.save()


def test_what_was_saved_comes_back(tmp_path):
    saved(tmp_path / "deep" / "memo", a=b"1")
    memo = FileMemo(tmp_path / "deep" / "memo", "p")
    assert (memo.get("a"), memo.get("b")) == (b"1", None)


def test_what_nobody_asks_for_stays_for_a_while(tmp_path):
    saved(tmp_path / "memo", old=b"1", used=b"2")
    for number in range(12):
        memo = FileMemo(tmp_path / "memo", "p")
        assert memo.get("used") == b"2"
        memo.put(f"new {number}", b"3")
        memo.save()
        left = {key for key in ("old", "used", "new 0") if FileMemo(tmp_path / "memo", "p").get(key)}
        assert left == (
            {"old", "used", "new 0"} if number < 9 else {"used", "new 0"} if number < 10 else {"used"}
        )


def test_another_program_starts_afresh(tmp_path):
    saved(tmp_path / "memo", a=b"1")
    assert FileMemo(tmp_path / "memo", "other").get("a") is None


def test_a_broken_file_counts_as_empty(tmp_path):
    saved(tmp_path / "memo", a=b"1" * 100, b=b"2" * 100)
    whole = (tmp_path / "memo").read_bytes()
    broken = [whole[:length] for length in range(len(whole))]
    broken += [
        whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(len(whole) - 60, len(whole))
    ]
    broken += [b"", b"rubbish", b"\xff" * 100, whole[:16] + marshal.dumps(7) + (16).to_bytes(8, "big")]
    for content in broken:
        (tmp_path / "memo").write_bytes(content)
        FileMemo(tmp_path / "memo", "p").get("a")
    (tmp_path / "memo").write_bytes(b"")
    assert FileMemo(tmp_path / "memo", "p").get("a") is None


def test_much_that_is_new_is_not_held_in_memory(tmp_path):
    memo = FileMemo(tmp_path / "memo", "p")
    for number in range(40):
        memo.put(f"{number}", bytes([number]) * 1_000_000)
    memo.put("3", b"again")
    assert sum(len(answer) for answer in memo._new.values()) < 5_000_000
    memo.save()
    memo.close()
    again = FileMemo(tmp_path / "memo", "p")
    assert again.get("3") == b"again"
    assert all(again.get(f"{number}") == bytes([number]) * 1_000_000 for number in range(40) if number != 3)


def test_a_file_that_others_may_write_is_not_read(tmp_path):
    saved(tmp_path / "memo", a=b"1")
    (tmp_path / "memo").chmod(0o666)
    assert FileMemo(tmp_path / "memo", "p").get("a") is None


def test_a_folder_that_cannot_be_made_is_no_matter(tmp_path):
    (tmp_path / "taken").write_text("")
    saved(tmp_path / "taken" / "memo", a=b"1")
    assert FileMemo(tmp_path / "taken" / "memo", "p").get("a") is None


def test_the_file_is_the_owners_alone(tmp_path):
    saved(tmp_path / "memo", a=b"1")
    assert (tmp_path / "memo").stat().st_mode & 0o777 == 0o600


def test_the_memo_lies_in_the_users_cache_and_never_in_the_app(tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    memo = memo_of(app, {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)})
    memo.put("a", b"1")
    memo.save()
    assert [path.name for path in app.iterdir()] == []
    assert len(list((tmp_path / "cache" / "patterns-os" / "compile").iterdir())) == 1
    assert memo_of(app, {"HOME": str(tmp_path / "home")}) is not None
    assert memo_of(app, {"PATTERNS_CACHE": "off", "HOME": "/"}) is None
    assert memo_of(app, {}) is None


def test_memos_that_nobody_uses_go_when_a_new_one_comes(tmp_path):
    saved(tmp_path / "old", a=b"1")
    saved(tmp_path / "young", a=b"1")
    os.utime(tmp_path / "old", (0, 0))
    saved(tmp_path / "new", a=b"1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "young"]


ALONE = """
import os, sys
from pathlib import Path
from patterns_os.adapters.files.memo import FileMemo, share

memo, fails = FileMemo(Path(sys.argv[1]), "p"), sys.argv[2] == "fails"

def work(number):
    if fails and number > 250:
        raise RuntimeError("in every process")
    memo.put(f"{number}", f"{os.getpid()}".encode())

share(memo, [lambda number=number: work(number) for number in range(300)])
answers = [memo.get(f"{number}") for number in range(300)]
assert f"{os.getpid()}".encode() not in answers
print(answers.count(None))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or os.cpu_count() == 1, reason="work is shared on Linux, with two cores"
)
@pytest.mark.parametrize(("how", "shown"), [("works", "0"), ("fails", "300")])
def test_other_processes_do_much_work(tmp_path, how, shown):
    # A process of its own: one with threads, as the tests' may be, is never copied.
    done = subprocess.run(
        [sys.executable, "-c", ALONE, tmp_path / "memo", how], capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == (shown, "")


def test_little_work_is_left_alone(tmp_path):
    memo = FileMemo(tmp_path / "memo", "p")
    share(memo, [lambda: memo.put("a", b"1")])
    assert memo.get("a") is None
