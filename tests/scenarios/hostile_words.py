"""Strategy files and command lines as nobody should write them, as strategies of Hypothesis."""

from __future__ import annotations

import functools
import re
from typing import Any

from hypothesis import strategies as st

from tidemill.faces.cli.app import build

STRATEGY = '''\
"""Signs nothing by itself."""
from tidemill import AUC, Accuracy, AnyOf, AtLeast, Cooldown, Every, Immediate, MinimumLabels, Newest
from tidemill import NoWorseThan, Outcome, Recent, Strategy, Uniform

def train(dataset, previous):
    return lambda frame: frame["x"]

strategy = Strategy(
    training=train,
    curation=Uniform(200, per="7d"),
    labels=Outcome(final_after="1d"),
    trigger=AnyOf(Every("7d"), Cooldown(MinimumLabels(Every("1d"), 50), "2d")),
    dataset=Recent("30d"),
    holdout=Newest(at_least=50, days=5),
    offline=[AtLeast(AUC(), 0.55), NoWorseThan("champion", Accuracy(), margin=0.01)],
    online=Immediate(sample=40),
    signing="approve",
    name="careful",
)
'''
_WORD = re.compile(r'"[^"\n]*"|\d+\.\d+|\d+|\w+|[^\w\s]|\n')
_INSTEAD = (
    "0", "-1", "1e999", "-1e-999", "10**400", "float('nan')", "None", "True", "'x'", "b'x'", "()", "[]", "{}", "...",
    "lambda: 0", "object()", "1j", "'7d'", "'-7d'", "'9' * 9999 + 'd'", "''", "'\\x1b[2J'", "'\\ud800'", "'a\\nb'",
    "train", "strategy", "Uniform", "Uniform(1)", "AUC()", "[AUC()]", "AtLeast", "Strategy", "(", ")", "\n", "\t",
    "  ", ",", "=", "\x00", "\ufeff", "é", "\u202e", "yield", "await", "0o9", "1_", "'", '"""', "\\", "#", "import",
    "[0] * 10**5", "(" * 300, "not " * 5_000 + "0", "__import__('no_such')", "range(10**9)", "int", "property()",
    "(_ for _ in ())", "type('T', (), {})()", "Every", "Every('7d')", "Recent(Recent('1d'))",
)  # fmt: skip
LINES = (
    "loop = []; loop.append(loop); strategy = Strategy(training=train, offline=loop)",
    "def again(): return again()\nagain()",
    "raise GeneratorExit", "raise BaseException('x')", "raise SystemExit(0)",
    "raise Exception()", "raise ValueError('\\x1b[2J')", "raise ValueError('\\ud800')",
    "class E(Exception):\n    def __str__(self): raise self\nraise E", "raise ExceptionGroup('a', [ValueError('b')])",
    "strategy = Strategy", "del strategy", "strategy = [strategy]", "import strategy", "from . import x",
    "exec('x = (')", "globals().clear()", "__file__ = 3", "async def f(): pass\nawait f()",
    "import warnings; warnings.warn('x', UserWarning)",
    "class S(Strategy): pass\nstrategy = S(training=train)",
    "strategy = type('Strategy', (), {})()", "x: int = ", "strategy.name = 'x'", "int('9' * 5000)", "1 / 0",
    "e = NameError('x'); raise e", "raise ImportError()", "raise AttributeError('no names')",
    "raise TypeError('__init__() got an unexpected keyword argument \\'x\\'')",
)  # fmt: skip


@st.composite
def strategy_texts(draw: Any) -> str:
    """A strategy file in which words were replaced, dropped or doubled, or a bad line was added."""
    words, ends = [], 0
    for found in _WORD.finditer(STRATEGY):
        words += [STRATEGY[ends : found.start()], found.group()]
        ends = found.end()
    if draw(st.integers(0, 3)) == 0:
        return STRATEGY + draw(st.sampled_from(LINES)) + "\n"
    for _ in range(draw(st.integers(1, 3))):
        k = draw(st.integers(30, len(words) - 1))
        how = draw(st.sampled_from(["instead", "instead", "instead", "drop", "double"]))
        other = draw(st.one_of(st.sampled_from(_INSTEAD), st.sampled_from(words)))
        words[k] = {"instead": other, "drop": "", "double": words[k] * 2}[how]
    return "".join(words)


EXTRA = ("--nope", "--", "-x", "--json", "--project")
HEAVY = (
    "--every",
    "--seeds",
    "--trials",
    "--workers",
    "--keep",
    "--html",
    "--map",
    "--as",
    "--debug",
)
"""Options that make a command run for long, write a file of any name, or ask for a traceback."""


@functools.cache
def commands() -> dict[str, tuple[int, dict[str, bool]]]:
    """Say of each command how many arguments it takes, and of its options which take no value."""
    found: dict[str, tuple[int, dict[str, bool]]] = {"nope": (0, {}), "": (0, {})}

    def visit(app: Any, path: str) -> None:
        inner = [n for n in app if not n.startswith("-")]
        for name in inner:
            visit(app[name], f"{path} {name}".strip())
        if inner or path == "demo":
            return
        named = {a.name: a.hint is bool for a in app.assemble_argument_collection() if a.show}
        options = {n: flag for n, flag in named.items() if n.startswith("--") and n not in HEAVY}
        found[path] = (sum(not n.startswith("-") for n in named), options)

    visit(build(), "")
    return found


FITTING = (
    "records.csv", "labels.csv", "v1", "00007", "x", "carrier", "record_id", "predicted_at", "label", "happened_at", "7d", "30d",
    "2024-01-02", "1", "0.5", "UTC", "auc", "select * from records", "x > 3", "carrier == 'A'", "strategy.py", "default", "a",
)  # fmt: skip
WORDS = (
    "", " ", "a", "x", "0", "-1", "1e999", "nan", "inf", "-inf", "9" * 400, "1.5", "7d", "-7d", "0d", "9999999999d",
    "2024-01-01", "9999-12-31", "0001-01-01", "2024-13-01", "soon", "UTC", "Mars/Olympus", "../UTC", "../../x", "a/b",
    "con", "v1", "v999", "00000", "records.csv", "labels.csv", ".", "..", "no/such.csv", "strategy.py", "project.toml",
    "\x1b[2J", "\x1b]0;x\x07", "\udcff", "a\nb", "\u202ex", "'; drop table records; --", "select 1", "select * from records",
    "select", "select count(*) from records; select 2", "copy records to 'x.csv'", "select * from read_csv('strategy.py')",
    "attach 'x.db'", "select range(100) as r, {'a': 1} as s, interval 1 day as i", "install httpfs", "x > 0", "x == 'a' and (",
    "__import__('os')", "().__class__", "record_id", "predicted_at", "label", "carrier", "x,carrier", "a=b", "x=predicted_at",
    "score", "auc", "AUC()", "accuracy", "everyone", "week", "1", "1:2", "{", "duckdb://no.db", "postgres://127.0.0.1:1/x?table=y",
    "s3://", "http://x/y.csv", "file:///no", "://", "duckdb://", "foo://bar?table=", "%s", "x" * 3_000, "*.csv",
    "[", "**", "~", "~nobody",
)  # fmt: skip


@st.composite
def command_lines(draw: Any) -> list[str]:
    """A command with values that nobody would give it, or with some that fit."""
    name = draw(st.sampled_from(sorted(commands())))
    takes, options = commands()[name]
    fits, odd = st.sampled_from(FITTING), st.sampled_from(WORDS)
    near = st.one_of(fits, fits, fits, odd)
    word = draw(st.sampled_from([near, near, st.one_of(odd, fits, st.text(max_size=5))]))
    word = word.filter(lambda w: not w.startswith("/"))
    words = name.split(" ")
    words += [draw(word) for _ in range(takes)]
    usual = st.sampled_from([*(options or EXTRA)])
    for option in draw(st.lists(usual, max_size=3, unique=True)):
        if options.get(option):
            words.append(option)
        elif option != "--project" or draw(st.integers(0, 5)) == 0:
            words.append(f"{option}={draw(word)}")
    if draw(st.integers(0, 7)) == 0:  # what the command line itself has to refuse
        words.insert(draw(st.integers(0, len(words))), draw(st.sampled_from([*EXTRA, *WORDS])))
    return [w.replace("\x00", "") for w in words if not w.startswith("/")]  # no shell can pass NUL
