"""Hypothesis strategies of the model: every job spec that may exist."""

from hypothesis import strategies as st

from relayq.model.duration import MAX_DURATION_MS, MAX_MOMENT_MS
from relayq.model.job import ArraySpec, Blob, Dependency, JobSpec, RetryPolicy, Unique
from relayq.model.needs import MAX_COUNT, MAX_CPUS, Needs, Offer, Placement, parse_prefer
from relayq.model.notice import Notice
from relayq.model.parts import MAX_FILE_BYTES
from relayq.model.retry import MAX_ATTEMPTS, REASONS, parse_patterns

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+@/-]{0,20}", fullmatch=True)
labels = st.one_of(
    names.filter(lambda name: name != "exclusive"),
    st.tuples(st.sampled_from(["room", "os", "tier"]), names).map("=".join),
)
counters = st.dictionaries(names, st.integers(0, MAX_COUNT), max_size=3).map(
    lambda d: tuple(sorted(d.items()))
)
sizes = st.integers(0, 1 << 50) | st.integers(0, 64).map(lambda gib: gib << 30)
durations = st.integers(0, MAX_DURATION_MS)
texts = st.text(max_size=30).filter(lambda text: "\0" not in text) | st.binary(max_size=9).map(
    lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)
lines = st.text(max_size=30).filter(lambda text: not set(text) & set("\0\r\n"))


def sorted_set(items, most=4):
    return st.frozensets(items, max_size=most).map(lambda found: tuple(sorted(found)))


needs = st.builds(
    Needs,
    labels=sorted_set(labels),
    tools=sorted_set(names),
    cpus_milli=st.integers(1, MAX_CPUS * 1000),
    memory_bytes=sizes,
    gpus=st.integers(0, MAX_COUNT),
    host=st.just("") | names,
    counters=counters,
    exclusive=st.booleans(),
)
offers = st.builds(
    Offer,
    labels=st.frozensets(labels, max_size=4),
    name=names,
    host=names,
    cpus_milli=st.integers(1, MAX_CPUS * 1000),
    memory_bytes=sizes,
    gpus=st.integers(0, 8),
    counters=counters,
    queues=st.none() | st.frozensets(names, max_size=3),
)

placed = {
    "type": st.just("shell"),
    "queue": names,
    "needs": needs,
    "prefer": sorted_set(labels).map(parse_prefer),
    "prefer_wait_ms": durations,
    "limits": st.dictionaries(names, st.integers(1, MAX_COUNT), max_size=3).map(
        lambda d: tuple(sorted(d.items()))
    ),
    "rates": st.dictionaries(
        names, st.tuples(st.integers(1, MAX_COUNT), st.integers(1, MAX_DURATION_MS)), max_size=3
    ).map(lambda d: tuple(sorted((name, *rate) for name, rate in d.items()))),
    "share": st.just("") | names,
}
placements = st.builds(Placement, **placed)

ids = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=16, max_size=16)
element_ids = ids | st.tuples(ids, st.integers(0, 10**9).map(str)).map(":".join)
codes = st.integers(1, 255)
ranges = st.tuples(codes, codes).map(lambda pair: f"{min(pair)}-{max(pair)}")
patterns = st.lists(codes.map(str) | ranges | st.sampled_from(REASONS), max_size=8).map(
    lambda words: parse_patterns(",".join(words)) if words else ()
)
policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, MAX_ATTEMPTS),
    backoff_ms=durations,
    cap_ms=durations,
    retry_on=patterns,
    stop_on=patterns,
)


@st.composite
def arrays(draw):
    values = tuple(draw(st.lists(texts, max_size=4)))
    return ArraySpec(
        size=len(values) or draw(st.integers(1, 10_000_000)),
        start=draw(st.just(0) | st.integers(0, 10**9)),
        sequential=draw(st.booleans()),
        values=values,
    )


keys = lines.filter(bool)
uniques = st.builds(
    Unique, key=keys, mode=st.sampled_from(["until_done", "queued", "replace"]), window_ms=st.just(0)
) | st.builds(Unique, key=keys, mode=st.just("window"), window_ms=st.integers(1, MAX_DURATION_MS))
variables = st.dictionaries(
    st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True).filter(
        lambda name: not name.startswith("RELAYQ_")
    ),
    texts,
    max_size=3,
).map(lambda found: tuple(found.items()))
file_names = lines.filter(lambda name: name not in ("", ".", "..") and "/" not in name)
blobs = st.builds(
    Blob,
    file_names,
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(0, MAX_FILE_BYTES),
    st.just("") | st.text("ABCxyz019_-", min_size=43, max_size=43),
)
json_values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


shas = st.text("0123456789abcdef", min_size=40, max_size=40)
repos = st.from_regex(r"[a-z][a-z0-9-]{0,5}/[a-z][A-Za-z0-9._-]{0,6}", fullmatch=True)
notices = (
    st.builds(Notice, st.sampled_from(["status", "check"]), repos, shas)
    | st.builds(Notice, st.just("comment"), repos, st.integers(1, 10**9).map(str))
    | st.builds(Notice, st.just("dispatch"), repos, st.from_regex(r"[a-z][a-z0-9._-]{0,9}", fullmatch=True))
)


@st.composite
def specs(draw):
    """Any job spec."""
    array = draw(st.none() | arrays())
    starts = draw(st.sampled_from(["now", "delay", "at"]))
    modes = st.sampled_from(["whole", "index"] if array else ["whole"])
    commands = keys.filter(str.strip) | st.tuples(keys.filter(str.strip), texts, texts)
    return draw(
        st.builds(
            JobSpec,
            **placed,
            command=commands,
            name=lines,
            priority=st.integers(-100, 100),
            retry=policies,
            timeout_ms=durations,
            deadline_ms=durations,
            delay_ms=durations if starts == "delay" else st.just(0),
            at_ms=st.integers(1, MAX_MOMENT_MS) if starts == "at" else st.just(0),
            after=st.lists(
                st.builds(
                    Dependency, job=element_ids, on=st.sampled_from(["ok", "any", "failed"]), mode=modes
                ),
                max_size=3,
            ).map(tuple),
            array=st.just(array),
            unique=st.none() | uniques,
            env=variables,
            secrets=variables,
            cwd=texts,
            stdin=texts,
            inputs=st.lists(blobs, max_size=2, unique_by=lambda blob: blob.name.casefold()).map(tuple),
            outputs=st.lists(st.sampled_from(["*.png", "out/**", "a b"]), max_size=2).map(tuple),
            keep_output_bytes=st.integers(0, 256 << 20),
            on_lost=st.sampled_from(["retry", "hold", "fail"]),
            grace_ms=durations,
            notify=st.lists(notices, max_size=3).map(tuple),
            labels=st.dictionaries(names, lines, max_size=3).map(lambda found: tuple(found.items())),
            args=st.none() | json_values,
        )
    )
