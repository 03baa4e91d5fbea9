# SPDX-License-Identifier: MIT
"""The arms of an experiment: what each does, what counts, and what every check finds in a defective agent."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import adapters
import pytest
import torch
from adapters import Tiny
from agents import DEFECTS, Config, Hides

from verification.checks.registry import all_checks, select
from verification.engine.consequences import follow
from verification.engine.experiment import Experiment
from verification.engine.trial import resume
from verification.errors import CheckFailure, Inconclusive
from verification.levels import Level
from verification.program import Act, Advance, Implant, Learn, Operate, Program, Repeat
from verification.state import Part, compare
from verification.strategies import OptimizerState

if TYPE_CHECKING:
    from pathlib import Path

    from verification.engine.arms import Moment

torch.set_num_threads(1)

OPEN_LOOP = Program(
    config=Config(1.0),
    receiver_config=Config(1.5),
    seed=3,
    receiver_seed=4,
    steps=(
        Learn((1.0, -0.5)),
        Learn((0.25, 1.0)),
        Learn((-1.0, 1.0)),
        Act((0.5, 1.0)),
        Learn((1.0, 0.25)),
        Learn((-0.5, -1.0)),
    ),
    cuts=(1, 3),
    receiver_steps=(Learn((1.0, 1.0)), Learn((0.25, 0.25))),
    probe=(0.5, -0.25),
    entropy=11,
)
CLOSED_LOOP = dataclasses.replace(
    OPEN_LOOP,
    steps=(Advance(1), Advance(2), Advance(3), Act((0.5, 1.0)), Advance(1)),
    receiver_steps=(Advance(2),),
)

# It takes a new process and seconds for each experiment; tests of its own cover it.
SLOW = {"a_new_process_resumes_the_same"}
CALLERS = "loading_keeps_what_is_the_callers"
CHECKS = [one.name for one in select(Level.RESUME) if one.name not in SLOW]


def experiment(
    directory: Path, adapter: Any = None, *, closed_loop: bool = False, **changes: Any
) -> Experiment:
    program = dataclasses.replace(CLOSED_LOOP if closed_loop else OPEN_LOOP, **changes)
    return Experiment(adapter or Tiny(), program, directory, closed_loop=closed_loop)


def test_a_program_is_done_to_its_last_step_and_beyond_it_acts_and_trains_as_before(tmp_path: Path) -> None:
    steps = (Learn((1.0, -0.5)), Implant(OptimizerState(step=7)), Repeat((0.25, 1.0), 3))
    asked = experiment(tmp_path, steps=steps, cuts=(1,))
    beyond = [Act(OPEN_LOOP.probe), steps[0], Learn((0.25, 1.0))]
    assert [asked.step_at(position) for position in range(1, 8)] == [*steps, *beyond, beyond[0]]


def test_what_is_the_callers_is_as_in_the_run_that_was_saved(tmp_path: Path) -> None:
    asked = experiment(tmp_path, adapters.KeepsItsGain())
    assert asked.load(1).gain == OPEN_LOOP.config.gain != OPEN_LOOP.receiver_config.gain


def test_arms_share_neither_batches_nor_configs(tmp_path: Path) -> None:
    """What one arm does to its batch, or anybody to a config, is no other arm's business."""
    steps = tuple(Learn(list(step.batch)) if isinstance(step, Learn) else step for step in OPEN_LOOP.steps)
    past = (Learn([1.0, 1.0]),)
    asked = experiment(
        tmp_path, adapters.WorksInPlace(), steps=steps, receiver_steps=past, receiver_config=OPEN_LOOP.config
    )
    assert asked.reference
    object.__setattr__(asked.described.config, "text", "cached when it was printed")
    try:
        assert asked.control == {}
        for check in CHECKS:
            if not all_checks()[check].closed_loop and check != CALLERS:  # of which it has none
                all_checks()[check].function(asked)
    finally:
        object.__delattr__(OPEN_LOOP.config, "text")


def ask(check: str, directory: Path, defect: str = "") -> Experiment:
    """Ask one check of one experiment."""
    one = all_checks()[check]
    adapter = adapters.KeepsItsGain(defect) if check == CALLERS else Tiny(defect)
    asked = experiment(directory, adapter, closed_loop=one.closed_loop)
    one.function(asked)
    return asked


def resumes_exactly(asked: Experiment, cut: int) -> bool:
    """Whether nothing is lost at a cut, and nothing follows from what is not seen."""
    judgement = follow(asked, cut)
    return not judgement.losses and judgement.unexplained is None


def _acted(moment: Moment) -> bool:
    return "action" in moment.output.leaves and moment.output.leaves["action"].value is not None


# -- arms --------------------------------------------------------------------------------------------------


def test_the_reference_has_the_state_after_every_step_and_the_actions(tmp_path: Path) -> None:
    reference = experiment(tmp_path).reference
    counts = [moment.snapshot.leaves["agent.total_it"].value for moment in reference]
    assert counts == [0, 1, 2, 3, 3, 4, 5]
    assert [index for index, moment in enumerate(reference) if _acted(moment)] == [4]


def test_the_reference_is_never_saved(tmp_path: Path) -> None:
    asked = experiment(tmp_path, Tiny("steps when saved"))
    assert asked.reference[-1].snapshot.leaves["agent.total_it"].value == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("closed_loop", [False, True])
def test_the_control_of_a_deterministic_agent_is_empty(tmp_path: Path, *, closed_loop: bool) -> None:
    assert experiment(tmp_path, closed_loop=closed_loop).control == {}


def test_the_control_names_what_differs_first(tmp_path: Path) -> None:
    control = experiment(tmp_path, Tiny("is nondeterministic")).control
    assert next(iter(control)) == "agent.net.weight"


def test_the_receiver_is_another_agent_and_may_have_a_past(tmp_path: Path) -> None:
    asked = experiment(tmp_path)
    receiver, used = asked.receiver(), asked.receiver(used=True)
    assert receiver.gain == used.gain == 1.5
    assert (receiver.total_it, used.total_it) == (0, 2)
    paths = {one.path for one in compare(asked.reference[0].snapshot, asked.cold())}
    assert {"agent.net.weight", "agent.gain", "agent.noise"} <= paths
    assert asked.cold(used=True).leaves["agent.total_it"].value == 2


def test_the_receiver_is_built_with_scrambled_global_generators(tmp_path: Path) -> None:
    asked = experiment(tmp_path)
    asked.start()
    original = torch.rand(1)
    asked.receiver()
    scrambled = torch.rand(1)
    assert scrambled != original
    torch.rand(5)  # whatever went before
    asked.receiver()
    assert torch.rand(1) == scrambled


def test_one_run_serves_every_cut(tmp_path: Path) -> None:
    asked = experiment(tmp_path)
    directories = asked.checkpoints
    assert list(directories) == [1, 3]
    assert len(set(directories.values())) == 2
    assert [asked.load(cut).total_it for cut in (1, 3)] == [1, 3]


@pytest.mark.parametrize("closed_loop", [False, True])
@pytest.mark.parametrize("cut", [1, 3])
def test_a_correct_agent_resumes_exactly(tmp_path: Path, cut: int, *, closed_loop: bool) -> None:
    asked = experiment(tmp_path, closed_loop=closed_loop)
    assert resumes_exactly(asked, cut)
    assert follow(asked, cut).followed


def test_actions_are_compared_before_states(tmp_path: Path) -> None:
    asked = experiment(tmp_path, Tiny("loses its network"))
    spread = resume(asked, 3, used=False, heal=[]).spread
    assert spread is not None
    assert spread.steps == 1
    assert spread.differences[0].path == "action"


def test_global_generators_are_set_before_every_step_unless_the_loop_is_closed(tmp_path: Path) -> None:
    """Only in a closed loop is what an agent draws from them lost."""
    noisy = Tiny("draws from the global generator")
    steps = CLOSED_LOOP.steps
    for closed_loop, name in ((False, "open"), (True, "closed")):
        (directory := tmp_path / name).mkdir()
        asked = Experiment(
            noisy, dataclasses.replace(OPEN_LOOP, steps=steps), directory, closed_loop=closed_loop
        )
        assert asked.control == {}
        assert resumes_exactly(asked, 1) is not closed_loop


class Operates(Tiny):
    def operations(self, config: Config) -> Any:
        raise NotImplementedError

    def operate(self, agent: Any, operation: tuple[str, float]) -> None:
        setattr(agent, *operation)


def test_a_hyper_parameter_that_a_user_sets_is_no_counter(tmp_path: Path) -> None:
    steps = (*OPEN_LOOP.steps[:2], Operate(("gain", 2.0)), Implant(OptimizerState(moments="huge")))
    asked = experiment(tmp_path, Operates(), steps=(*steps, *OPEN_LOOP.steps), cuts=(1, 4))
    assert asked.parts["agent.gain"] is Part.HYPER_PARAMETER
    assert asked.parts["agent.total_it"] is Part.COUNTER
    assert asked.reference[4].snapshot.leaves["agent.gain"].value == 2.0
    assert asked.control == {}
    assert all(resumes_exactly(asked, cut) for cut in (1, 4))


def test_a_bystander_shows_what_agents_share(tmp_path: Path) -> None:
    class Crowd(Tiny):
        """Its agents take their gain from the one that was built last."""

        latest: list[float] = []  # noqa: RUF012

        def build(self, config: Config, seed: int) -> Any:
            self.latest.append(config.gain)
            return super().build(config, seed)

        def learn(self, agent: Any, batch: Any) -> None:
            agent.gain = self.latest[-1]
            super().learn(agent, batch)

        def load(self, agent: Any, path: Path) -> Any:
            loaded = super().load(agent, path)
            self.latest.append(loaded.gain)
            return loaded

    for bystander in (False, True):
        (directory := tmp_path / str(bystander)).mkdir()
        asked = experiment(directory, Crowd(), bystander=bystander)
        assert resumes_exactly(asked, 1) is not bystander
        (directory / "good").mkdir()
        good = experiment(directory / "good", bystander=bystander)
        assert resumes_exactly(good, 1)


# -- what counts -------------------------------------------------------------------------------------------


def test_an_example_counts_only_if_the_cold_arm_would_have_failed(tmp_path: Path) -> None:
    asked = experiment(tmp_path)
    asked.count_if_cold_differs(1, {Part.MODE})
    assert not asked.counted
    asked.count_if_cold_differs(1, {Part.HYPER_PARAMETER})
    assert asked.counted


def test_a_twin_as_receiver_does_not_count(tmp_path: Path) -> None:
    program = {"cuts": (0,), "receiver_seed": OPEN_LOOP.seed, "receiver_config": OPEN_LOOP.config}
    asked = experiment(tmp_path, **program)
    asked.count_if_cold_differs(0)
    assert not asked.counted
    (tmp_path / "other").mkdir()
    with_seed = experiment(tmp_path / "other", **{**program, "receiver_seed": 4})
    with_seed.count_if_cold_differs(0)
    assert with_seed.counted


# -- verdicts ----------------------------------------------------------------------------------------------


def test_a_nondeterministic_agent_is_never_blamed(tmp_path: Path) -> None:
    asked = experiment(tmp_path, Tiny("is nondeterministic"))
    with pytest.raises(Inconclusive, match=r"two runs without any save differ: agent\.net\.weight expected"):
        asked.repeat()
    for check in ("optimizer_state_survives_reload", "next_steps_survive_reload", "runs_are_repeatable"):
        (directory := tmp_path / check).mkdir()
        with pytest.raises(Inconclusive):
            ask(check, directory, "is nondeterministic")


def test_a_failure_holds_the_sentence_the_leaves_and_the_program(tmp_path: Path) -> None:
    with pytest.raises(CheckFailure) as caught:
        ask("counters_survive_reload", tmp_path, "loses its counter")
    assert caught.value.sentence.startswith(
        "counters saved after 1 step came back different: agent.total_it; "
    )
    assert [loss.name for loss in caught.value.losses] == ["agent.total_it"]
    (difference,) = caught.value.differences
    assert str(difference) == "agent.total_it expected 1, got 0"
    assert str(difference) in str(caught.value)
    assert "adapter.learn(agent, (1.0, -0.5))" in caught.value.program


def test_long_failures_are_cut_short() -> None:
    from verification.state import Difference

    many = [Difference(f"agent.x[{index}]", "value", "0", "1") for index in range(20)]
    lines = str(CheckFailure("it broke", many)).splitlines()
    assert lines[0] == "it broke"
    assert lines[-1].strip() == "... and 8 more leaves"


@pytest.mark.parametrize("check", CHECKS)
def test_a_correct_agent_keeps_every_promise(check: str, tmp_path: Path) -> None:
    ask(check, tmp_path)


#: What each defect breaks, and the loss, or else the leaf, that the failure must name first ("" for neither).
BROKEN = [
    ("loses its network", "online_networks_survive_reload", "agent.net"),
    ("loses its target", "targets_survive_reload", "agent.net_target"),
    ("loses its momentum", "optimizer_state_survives_reload", "agent.optimizer.state"),
    ("loses its schedule", "schedules_survive_reload", "agent.schedule"),
    ("loses its counter", "counters_survive_reload", "agent.total_it"),
    ("loses its gain", "hyper_parameters_survive_reload", "agent.gain"),
    ("loses its gain", "actions_survive_reload", "agent.gain"),
    ("loses its noise", "generators_survive_reload", "agent.noise"),
    ("loses its memory", "every_leaf_survives_reload", "agent.memory"),
    (
        "draws from the global generator",
        "resume_equals_uninterrupted",
        "the global generator of numpy (numpy.random)",
    ),
    ("saves nothing", "saving_writes_a_checkpoint", ""),
    ("saves an empty file", "saving_writes_a_checkpoint", ""),
    ("save raises", "saving_writes_a_checkpoint", ""),
    ("load raises", "loading_restores_something", ""),
    ("loads nothing", "loading_restores_something", "agent.net.weight"),
    ("step after load raises", "optimizer_state_survives_reload", "agent.optimizer"),
    ("loses its scale", "next_steps_survive_reload", "agent.scale"),
    ("steps when saved", "saving_leaves_the_agent_unchanged", "agent.total_it"),
    ("draws when saved", "saving_leaves_global_generators_unchanged", "agent.net.weight"),
    ("shares what it saved", "a_checkpoint_is_a_snapshot", "agent.net.weight"),
    ("shares what it saved", "loading_shares_no_memory", "agent.optimizer.state[0]['momentum_buffer']"),
    ("eats its checkpoint", "loading_leaves_the_checkpoint_unchanged", ""),
    ("keeps the first checkpoint", "the_latest_save_is_loaded", "agent.net.weight"),
    ("finds its data by place", "a_moved_checkpoint_loads", ""),
    ("takes the highest number", "an_earlier_state_saved_later_is_loaded", "agent.net.weight"),
    ("leaves settings behind", "process_settings_survive_save_and_load", ""),
    ("keeps its own momentum", "loading_leaves_no_residue", "agent.optimizer.state"),
    ("adds to its memory", "resuming_leaves_no_residue", "agent.memory"),
    ("optimizer is stale", "objects_stay_bound", "agent.optimizer.param_groups[0]['params']"),
    ("comes back in eval mode", "modes_survive_reload", "agent.net.training"),
    ("takes the saved gain", CALLERS, "agent.gain"),
    ("drifts", "repeated_reloads_change_nothing", "agent.gain"),
]


@pytest.mark.parametrize(("defect", "check", "path"), BROKEN)
def test_a_defect_is_found_and_named(defect: str, check: str, path: str, tmp_path: Path) -> None:
    with pytest.raises(CheckFailure) as caught:
        ask(check, tmp_path, defect)
    named = [loss.path for loss in caught.value.losses] or [one.path for one in caught.value.differences]
    assert (named[0] if named else "") == path


def test_every_check_but_slow_ones_has_a_defect_that_breaks_it() -> None:
    judged_otherwise = {"runs_are_repeatable", "training_changes_the_agent"}  # inconclusive; never counted
    assert set(CHECKS) - judged_otherwise == {check for _, check, _ in BROKEN}


def test_every_defect_is_used() -> None:
    elsewhere = {"", "is nondeterministic", "keeps times", "never learns"}
    hidden = {defect for defect in DEFECTS if defect.startswith("hides in")}
    assert set(DEFECTS) - elsewhere - hidden == {defect for defect, _, _ in BROKEN}


@pytest.mark.parametrize("place", Hides.places)
def test_state_that_no_state_dict_holds_is_missed_wherever_it_hides(place: str, tmp_path: Path) -> None:
    asked = experiment(tmp_path, Tiny(f"hides in {place}"))
    differences = compare(asked.reference[1].snapshot, asked.driver.snapshot(asked.load(1)))
    assert differences
    assert all(one.path.startswith(("agent.note", "agent.statistic")) for one in differences)


@pytest.mark.parametrize("check", ["next_steps_survive_reload", "loading_leaves_no_residue"])
def test_a_log_of_clock_readings_may_grow_longer_than_the_references(check: str, tmp_path: Path) -> None:
    assert ask(check, tmp_path, "keeps times").counted


def test_an_agent_that_never_learns_is_not_counted(tmp_path: Path) -> None:
    assert not ask("training_changes_the_agent", tmp_path, "never learns").counted
    (tmp_path / "good").mkdir()
    assert ask("training_changes_the_agent", tmp_path / "good").counted


def test_a_new_process_has_only_the_checkpoint(tmp_path: Path) -> None:
    """What an agent keeps in the memory of the process that saved is gone in the next."""
    asked = experiment(tmp_path, Tiny("shares what it saved"), cuts=(1,))
    with pytest.raises(CheckFailure, match=r"load\(\) raised KeyError"):
        all_checks()["a_new_process_resumes_the_same"].function(asked)


def test_an_adapter_without_a_training_loop_still_closes_no_loop(tmp_path: Path) -> None:
    open_loop = adapters.OpenLoop()
    asked = Experiment(open_loop, OPEN_LOOP, tmp_path, closed_loop=True)
    assert asked.control == {}
    assert resumes_exactly(asked, 1)
