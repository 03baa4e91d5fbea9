# SPDX-License-Identifier: MIT
"""What the words of a report mean, and what to do about each: verdicts, kinds of loss and state, patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verification.losses import LEARNED, READ, RECORDED, SPREADS
from verification.report import hints
from verification.report.model import Verdict
from verification.state import Part

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Meaning:
    """A word of a report.

    Attributes:
        word: as the report has it.
        kind: what it is a word for.
        meaning: what it says, in a sentence or two.
        remedy: what to do.
    """

    word: str
    kind: str
    meaning: str
    remedy: str


#: What each verdict says, and what to do.
VERDICTS = {
    Verdict.PASSED: (
        "No experiment broke the promise, and at least one would have told a receiver without the load "
        "apart.",
        "Nothing. --examples tries more, and --horizon looks further.",
    ),
    Verdict.FAILED: (
        "The promise was broken. The report names what is lost, or what else happened.",
        "Let save write what is lost and load put it back; the hint says where to look first. verify replay "
        "repeats the failure on its smallest program, and verify replay ID --script prints it as a script. "
        "If it has to stay so for now, expect it: verify baseline update writes the entry.",
    ),
    Verdict.BLOCKED: (
        "A check that this one builds on did not pass, so that one cause is one failure.",
        "Mend the check that it names; this one is then run by itself.",
    ),
    Verdict.NOT_APPLICABLE: (
        "There was nothing to compare: an agent without schedules, for example.",
        "Nothing, if the agent has no such thing. If it has, let configs() draw agents that use it, and look "
        "whether volatile in the adapter hides it. --min-checks fails a run in which too little passed.",
    ),
    Verdict.INCONCLUSIVE: (
        "Two runs without any save differ already. Nothing can be concluded from such an agent.",
        "Let build() seed everything that is random from its seed, generators of environments and libraries "
        "included; take numbers that depend on time or memory out of the computation; use one thread. The "
        "report names the first leaf that differs. If it is only told to people, declare it as volatile.",
    ),
    Verdict.XFAILED: (
        "The failure was expected: it is in the file of expected failures, with a reason.",
        "Nothing now. Once it is mended, the verdict is stale, and the entry has to go.",
    ),
    Verdict.STALE: (
        "A failure was expected, but the check passes. Remove the entry.",
        "Remove its entry from the file of expected failures, by hand or with verify baseline update.",
    ),
    Verdict.ERROR: (
        "The adapter made a mistake, or an operation hung or crashed. The message names the method.",
        "Mend the method that is named. If it only takes long, give the adapter a time_limit in seconds.",
    ),
}

#: How a loss shows, by the word in the JSON report.
LOSSES = {
    SPREADS: (
        "Something else comes to differ because of the loss: another piece of state, or an action.",
        "Let save write the piece and load put it back: training goes another way without it.",
    ),
    READ: (
        "Nothing else has come to differ within the horizon, but where the piece is changed on purpose, "
        "something does: it is read.",
        "Save it. What it changes comes after the horizon; --horizon looks further.",
    ),
    LEARNED: (
        "A schedule or a random stream that training has moved on, whose effect comes late.",
        "Save it: its state_dict(), or the state of the generator.",
    ),
    RECORDED: (
        "Training changes the piece, and no effect on training was seen: a count that is only printed, for "
        "one.",
        "It is lost to who resumes a run, and matters at level resume only. Save it, or declare it in the "
        "adapter as volatile, with the reason why it may be forgotten.",
    ),
    "note": (
        "A difference after the load of which nothing follows, within the horizon that the note names.",
        "Nothing, unless you know better. Notes fail a run with --strict; volatile in the adapter hides one.",
    ),
}

#: The kinds of state: what is counted among them.
PARTS = {
    Part.ONLINE: "Tensors that an optimizer updates, and what belongs to the same networks.",
    Part.TARGET: "Parameters of networks that no optimizer updates: they follow others, as targets do.",
    Part.MODE: "Whether modules are in train or eval mode.",
    Part.OPTIMIZER: "What optimizers keep for each parameter, such as moments and step counts.",
    Part.BINDING: "What is the same object as what: that an optimizer holds the parameters of the network "
    "that acts, and a schedule the optimizer that trains.",
    Part.COUNTER: "Numbers that training changes.",
    Part.HYPER_PARAMETER: "Numbers and options that training does not change.",
    Part.SCHEDULE: "Schedulers, and the options of optimizers that they change.",
    Part.GENERATOR: "Generators of torch, numpy and Python that the agent holds, with their positions.",
    Part.OTHER: "Whatever else can be found: replay, statistics, noise, the environment, containers.",
}
_MEND_PART = "Let save write it and load put it back, into the objects that exist."
_MEND_BINDING = "Let load fill the objects that exist, or build anew all that refers to them."

#: Known patterns, by the function that recognises each: what to change.
PATTERNS: dict[Callable[..., str], str] = {
    hints.shared_by_actor_and_critic: "Save both networks under their own names. A guard such as hasattr() "
    "on the old name is never true again, and nothing fails: remove it.",
    hints.target_equals_online: "Save the target's own state_dict(), and load it after the online network's. "
    "A target lags behind; a copy of the online network changes the very next update.",
    hints.network_of_another: "Compare the keys that save writes with those that load reads, pair by pair.",
    hints.network_as_built: "Add the network's state_dict() to the checkpoint, and load it into the network "
    "that the agent uses. Load with strict=True, so that missing keys are errors.",
    hints.moments_missing: "Add the optimizer's state_dict() to the checkpoint, and load it after the last "
    "thing that makes a new optimizer. Without moments the next steps are other ones.",
    hints.rate_as_constructed: "Set the rate before load_state_dict() of the optimizer, which restores the "
    "saved one, or keep it in the checkpoint and set it last. A rate that is meant to be the caller's is "
    "declared in the adapter's callers.",
    hints.schedule_at_its_start: "Add the scheduler's state_dict() to the checkpoint. Make the scheduler "
    "before its optimizer's state is loaded: some set the rate when they are made.",
    hints.counter_at_its_start: "Add the counter to the checkpoint, and assign it in load.",
    hints.generator_restarted: "Save the generator's state (get_state(), or bit_generator.state), and put it "
    "back after everything in load that draws from it.",
}


def meanings() -> dict[str, Meaning]:
    """Every word by its name in lower case, with underscores."""
    found = [
        *(Meaning(_plain(one), "a verdict", *texts) for one, texts in VERDICTS.items()),
        *(Meaning(word, _kind(word), *texts) for word, texts in LOSSES.items()),
        *(
            Meaning(one.value, "a kind of state", text, _MEND_BINDING if one is Part.BINDING else _MEND_PART)
            for one, text in PARTS.items()
        ),
        *(
            Meaning(one.__name__, "a known pattern", (one.__doc__ or "").strip(), remedy)
            for one, remedy in PATTERNS.items()
        ),
    ]
    return {name_of(one.word): one for one in found}


def name_of(text: str) -> str:
    """What somebody typed as one of the names."""
    return "_".join(text.lower().replace("-", " ").replace("_", " ").split())


def _plain(verdict: Verdict) -> str:
    return str(verdict).replace("_", " ")


def _kind(word: str) -> str:
    return "no loss" if word == "note" else "how a loss shows"
