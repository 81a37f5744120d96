"""Strategy files and command lines as nobody should write them, as strategies of Hypothesis."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

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


OPTIONS = (
    "--time", "--label", "--label-time", "--label-delay", "--absent", "--final-after", "--score", "--output", "--unit",
    "--id", "--features", "--drop", "--task", "--table", "--scan-cap", "--show-sql", "--from", "--to", "--at", "--last",
    "--limit", "--most", "--metric", "--column", "--cohort", "--by", "--against", "--format", "--window", "--incident",
    "--kind", "--why", "--as", "--where", "--found", "--pages", "--alpha", "--zone", "--timezone", "--columns", "--known",
    "--tags", "--text", "--source", "--for", "--json", "--project", "--floor", "--ignore", "--model", "--step", "--html",
    "--state", "--events", "--no-wait", "--retrain", "--repair", "--all", "--map", "--profile", "--nope", "--", "-x", "--latency",
)  # fmt: skip
COMMANDS = (
    "drift", "compare", "init", "check", "plan", "run", "status", "sql", "records import", "records reference",
    "records profiles", "records quarantine", "labels import", "feedback import", "releases list", "releases report",
    "releases approve", "releases reject", "releases rollback", "metrics", "rows", "history", "alerts budget",
    "alerts unusual", "alerts list", "alerts show", "alerts close", "alerts silence", "cohorts find", "cohorts add",
    "strategy suggest", "strategy show", "strategy log", "strategy diff", "strategy check", "nope", "records", "",
    "records nope", "backtest", "strategy tune", "demo nope",
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
    """A command with values that nobody would give it."""
    words = draw(st.sampled_from(COMMANDS)).split(" ")
    word = st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), st.text(max_size=5))
    words += draw(st.lists(word.filter(lambda w: not w.startswith("/")), max_size=2))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(OPTIONS))
        words += draw(st.sampled_from([[name], [name, draw(word)], [f"{name}={draw(word)}"]]))
    return [w.replace("\x00", "") for w in words]  # no shell can pass it
