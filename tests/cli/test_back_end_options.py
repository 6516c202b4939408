"""Back ends as text: one way to read them for every command, and back."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curvox.cli.calibrate import calibrate
from curvox.cli.compare import compare
from curvox.cli.eval import evaluate_run
from curvox.errors import InputError, UnknownNameError
from curvox.evaluating import back_end_words, read_back_end
from curvox.geometry import PoincareBall
from curvox.scoring import BACK_ENDS, create_back_end

DESCRIPTIONS = st.one_of(
    st.fixed_dictionaries(
        {"name": st.just("as_norm")},
        optional={"top_k": st.integers(2, 9), "scorer": st.sampled_from(["cosine", "euclidean"])},
    ),
    st.fixed_dictionaries(
        {"name": st.just("plda")},
        optional={
            "lda_dimension": st.integers(1, 300),
            "length_norm": st.booleans(),
            "shrinkage": st.sampled_from([0.0, 0.1, 0.25]),
        },
    ),
    st.sampled_from([{"name": "plain"}, {"name": "s_norm", "scorer": "hyperbolic"}, {"name": "mean_subtraction"}]),
)


@given(DESCRIPTIONS)
def test_words__are_read_as_what_they_describe(description: dict[str, Any]) -> None:
    whole = create_back_end(description).describe()
    assert read_back_end(back_end_words(whole)).describe() == whole


def test_words__leave_out_what_is_the_default_and_what_was_learnt() -> None:
    assert back_end_words({"name": "as_norm", "top_k": 300, "scorer": "cosine", "cohort_speakers": 510}) == (
        "as_norm:scorer=cosine"
    )
    assert back_end_words(create_back_end("plain").fit(PoincareBall()).describe()) == "plain:scorer=hyperbolic"
    for name in BACK_ENDS:
        assert back_end_words(create_back_end(name).describe()) == name


def test_read__takes_the_scorer_from_an_option_but_not_two() -> None:
    for text, scorer in (("s_norm", "cosine"), ("s_norm:scorer=cosine", None), ("s_norm:scorer=cosine", "cosine")):
        assert read_back_end(text, scorer).describe() == {"name": "s_norm", "scorer": "cosine"}
    with pytest.raises(InputError, match="another scorer than --scorer euclidean"):
        read_back_end("s_norm:scorer=cosine", "euclidean")
    with pytest.raises(InputError, match='"plda" takes no scorer'):
        read_back_end("plda", "cosine")


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("asnorm:top_k=4", UnknownNameError, 'did you mean "as_norm"'),
        ("as_norm:topk=4", InputError, 'no setting "topk"'),
        ("as_norm:4", InputError, 'got the setting "4"'),
        ("as_norm:top_k=4,", InputError, 'got the setting ""'),
        ("as_norm:name=plda", InputError, 'got the setting "name=plda"'),
        ("as_norm:top_k=4,top_k=5", InputError, '"top_k" comes twice'),
        ("as_norm:top_k=four", InputError, "top_k must be a whole number"),
        ("as_norm:top_k=[", InputError, "cannot be read"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        lambda run, trials, text: evaluate_run(run, [trials], back_end=[text]),
        lambda run, trials, text: calibrate(run, trials, back_end=text),
        lambda run, trials, text: compare([run, run], trials, back_end=text),
    ],
    ids=["eval", "calibrate", "compare"],
)
def test_every_command__refuses_the_same_texts(
    command: Callable[[Path, Path, str], None],
    text: str,
    error: type[Exception],
    said: str,
    tiny_run: Path,
    voices: Path,
) -> None:
    with pytest.raises(error, match=said.replace("[", r"\[")):
        command(tiny_run, voices / "trials" / "test.txt", text)


def test_every_command__says_in_its_help_that_settings_may_follow() -> None:
    for command in (evaluate_run, calibrate, compare):
        option = inspect.signature(command, eval_str=True).parameters["back_end"].annotation.__metadata__[0]
        assert "as_norm:top_k=100" in option.help
