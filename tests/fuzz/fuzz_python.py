"""Mutates real Python files and looks that their analysis always ends and never raises.

    python tests/fuzz/fuzz_python.py --seed 1 --cases 10000

The corpus is read when it runs: the app templates, the examples, and a part of Python's own library. What fails
is printed with its seed and number, and written next to it if `--keep FOLDER` is given.
"""

import argparse
import random
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from patterns_os.graph.python import analyse_python
from patterns_os.graph.sources import Sources

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 40_000
SLOWEST_S = 10.0
SNIPPETS = (
    "\nfor r in t.as_stream():\n    out.append({**r, 'x': r['y']})\n",
    "\nfrom patterns import *\nt = Table('t')\nout = Table('out', 'w')\n",
    "\nwhile True:\n    x = [x, *x]\n",
    "\ndef f(*a, **k): return f(*a, **k)\nf(f)\n",
    "\nclass A(A):\n    def __init__(self): self.a = A()\n",
    "\nx = x.y[x:x] if x else (x := {**x, x: x})\n",
    "\nmatch x:\n    case {'a': [y, *z], **w}: x = y\n",
    "\nglobal x\nx: x = lambda x=x: (yield x)\n",
    "\ntry:\n    x = 1\nexcept* E as e:\n    x = e\nfinally:\n    del x[0]\n",
    "\nd = {}\nd['d'] = d\nd.update(d)\nfor k, v in d.items(): d[k] = v\n",
    "\nl = []\nl.append(l)\nl += l\nout.append(l)\n",
    "\nx = '%s' % (x,) + f'{x:{x}}' + '{}'.format(x)\n",
    "\nx = 9" + "9" * 400 + "\ny = f'{x}' + str(x) + 'a' * x\n",
    "\nsetattr(x, 'x', super().x)\nx = getattr(x, 'x', x)\n",
    "\nreturn x\nbreak\ncontinue\n",
)


def corpus() -> dict[str, bytes]:
    """Give the real files by name, the smaller ones of Python's library only."""
    library = Path(sysconfig.get_path("stdlib"))
    found = [*(ROOT / "patterns_os" / "templates").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    found += [*library.glob("*.py"), *(library / "test").glob("test_[a-f]*.py")]
    sizes = ((path, path.stat().st_size) for path in sorted(found))
    return {str(path): path.read_bytes() for path, size in sizes if 0 < size < LARGEST}


def mutated(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Give the source after one to six random changes."""
    for _ in range(chance.randint(1, 6)):
        source = chance.choice(CHANGES)(source, others, chance)
    return source[: 2 * LARGEST]


def check(source: bytes, name: str) -> str | None:
    """Give what is wrong with the analysis of the source, or `None`."""
    start = time.perf_counter()
    try:
        analysis, _ = analyse_python(name, source, Sources({"base.py": source, "lib/__init__.py": source}))
        repr(analysis)
    except Exception:  # noqa: BLE001 - anything that escapes is what is looked for
        return traceback.format_exc()
    elapsed = time.perf_counter() - start
    return f"took {elapsed:.1f} s" if elapsed > SLOWEST_S else None


def faults(seed: int, cases: int) -> Iterator[tuple[int, str, bytes, str]]:
    """Give the number, the corpus file, the source and the fault of each case that fails."""
    files = corpus()
    names, contents = list(files), list(files.values())
    for number in range(cases):
        chance = random.Random(f"{seed}/{number}")
        name = chance.choice(names)
        source = mutated(files[name], contents, chance)
        fault = check(source, "main.py")
        if fault is not None:
            yield number, name, source, fault


def main() -> int:
    """Run as asked for on the command line; 1 if anything fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="folder for the sources that fail")
    arguments = parser.parse_args()
    start, failed = time.perf_counter(), 0
    for number, name, source, fault in faults(arguments.seed, arguments.cases):
        failed += 1
        say(f"seed {arguments.seed}, case {number}, from {name}:\n{fault}")
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / f"{arguments.seed}-{number}.py").write_bytes(source)
    elapsed = time.perf_counter() - start
    say(
        f"{arguments.cases} cases of {len(corpus())} files, seed {arguments.seed}: {failed} fail, {elapsed:.0f} s"
    )
    return 1 if failed else 0


def say(line: str) -> None:
    """Write a line of the report."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _drop_line(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    lines = source.split(b"\n")
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


def _swap_lines(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    lines = source.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def _repeat_lines(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    lines = source.split(b"\n")
    start = chance.randrange(len(lines))
    part = lines[start : start + chance.randint(1, 30)]
    return b"\n".join([*lines[:start], *part * chance.randint(2, 5), *lines[start:]])


def _splice(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    lines, other = source.split(b"\n"), chance.choice(others).split(b"\n")
    start, begin = chance.randrange(len(lines)), chance.randrange(len(other))
    return b"\n".join([*lines[:start], *other[begin : begin + 40], *lines[start:]])


def _insert_snippet(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    lines = source.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(SNIPPETS).encode())
    return b"\n".join(lines)


def _indent(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    head = chance.choice((b"for x in y:", b"def f(x):", b"if x:", b"class C:", b"while x:", b"with x as y:"))
    return b"\n".join([head, *(b"    " + line for line in source.split(b"\n"))])


def _rename(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    words = [word for word in source.split() if word.isalnum() and not word[:1].isdigit()]
    return source.replace(chance.choice(words), chance.choice(words)) if words else source


def _noise(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    place = chance.randrange(len(source) + 1)
    return source[:place] + chance.randbytes(chance.randint(1, 8)) + source[place + chance.randint(0, 8) :]


CHANGES: tuple[Callable[[bytes, list[bytes], random.Random], bytes], ...] = (
    _drop_line,
    _swap_lines,
    _repeat_lines,
    _splice,
    _insert_snippet,
    _insert_snippet,
    _indent,
    _rename,
    _rename,
    _noise,
)

if __name__ == "__main__":
    sys.exit(main())
