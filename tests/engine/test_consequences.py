# SPDX-License-Identifier: MIT
"""What follows from a difference after a load decides what it is: it spreads, is read, heals, or stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from forgetful import OUTSIDE, Forgetful, KeepsItsOwn, program_of

from verification.checks.registry import all_checks
from verification.engine.consequences import follow, judge
from verification.engine.experiment import Experiment
from verification.engine.trial import restored
from verification.errors import CheckFailure
from verification.losses import AS_BEGUN, AS_BUILT, HEALS, READ, RECORDED, SPREADS, UNREAD, Loss, Note
from verification.program import Act, Learn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verification.program import Step

#: How far is looked beyond the two steps that a program takes after its checkpoint.
HORIZON = 3


class ComesBackInEvalMode(torch.nn.Sequential):
    """Layers that are to be put into train mode before they are trained."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.eval()


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Experiment]:
    def make(
        update: Callable[[Any, int], None],
        lost: str = "",
        *,
        does: tuple[Step, ...] = (Learn(3), Learn(4), Learn(5)),
        **start: Any,
    ) -> Experiment:
        program = program_of(*does, receiver_steps=(Learn(7), Learn(8)), horizon=HORIZON)
        return Experiment(Forgetful(start, update, lost), program, tmp_path)

    return make


def seeded(seed: int) -> int:
    return 10 * seed


def only_loss(experiment: Experiment) -> Loss:
    ((loss, _),) = judge(experiment, 1).losses
    return loss


def only_note(experiment: Experiment) -> Note:
    assert judge(experiment, 1).losses == []
    (note,) = experiment.inventory.notes.values()
    return note


def adds(agent: Any, batch: int) -> None:
    agent.total += batch


def adds_bonus(agent: Any, batch: int) -> None:
    agent.total += batch * agent.bonus


def test_an_agent_that_comes_back_whole_loses_nothing(asked: Any) -> None:
    experiment = asked(adds_bonus, bonus=seeded)
    judgement = follow(experiment, 1)
    assert (judgement.losses, judgement.harmless, judgement.unexplained) == ([], [], None)
    assert judgement.followed


def test_what_changes_something_else_spreads(asked: Any) -> None:
    loss = only_loss(asked(adds_bonus, "bonus", bonus=seeded))
    assert (loss.path, loss.how) == ("agent.bonus", SPREADS)
    assert loss.effect == "it changes agent.total at the first step after the load"
    assert (
        loss.experiment
        == "with everything else put back the run differs; with this put back, too, it does not"
    )
    assert loss.differences == ("agent.bonus expected 10, got 20",)
    assert loss.first is not None
    assert (loss.first.path, loss.first.step) == ("agent.total", 1)


def test_it_is_told_when_something_follows(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += agent.bonus if agent.steps == 3 else 0

    loss = only_loss(asked(update, "bonus", steps=0, bonus=seeded))
    assert loss.effect == "it changes agent.total at the second step after the load"


def test_a_step_that_raises_is_what_follows(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += json.loads(agent.bonus)

    loss = only_loss(asked(update, "bonus", bonus=lambda seed: "1" if seed == 1 else "nonsense"))
    assert (loss.how, loss.first) == (SPREADS, None)
    assert loss.effect.startswith("at the first step after the load ")


def test_of_two_that_are_lost_the_one_that_matters_is_to_blame(asked: Any) -> None:
    experiment = asked(adds_bonus, "bonus spare", bonus=seeded, spare=seeded)
    assert only_loss(experiment).path == "agent.bonus"
    assert list(experiment.inventory.notes) == ["agent.spare"]


def test_what_seemed_harmless_in_other_programs_is_lost_where_it_matters(asked: Any) -> None:
    experiment = asked(adds_bonus, "bonus", bonus=seeded)
    for _ in range(9):  # so that it is not looked at closely again
        experiment.inventory.wants("agent.bonus", used=False, times=9, reach=999)
    loss = only_loss(experiment)
    assert (loss.path, loss.how) == ("agent.bonus", SPREADS)


def test_each_of_many_that_matter_is_lost(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += agent.a
        agent.total *= agent.c
        agent.total -= agent.e

    names = "abcde"
    experiment = asked(update, " ".join(names), **dict.fromkeys(names, seeded))
    judgement = judge(experiment, 1)
    assert sorted(loss.path for loss, _ in judgement.losses) == ["agent.a", "agent.c", "agent.e"]
    assert {loss.how for loss, _ in judgement.losses} == {SPREADS}
    assert sorted(change.path for change in judgement.healing) == ["agent.a", "agent.c", "agent.e"]
    assert sorted(group.path for group in judgement.harmless) == ["agent.b", "agent.d"]


def test_what_matters_only_together_is_lost_together(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += min(agent.a, agent.b)

    experiment = asked(update, "a b", a=seeded, b=seeded)
    losses = [loss for loss, _ in judge(experiment, 1).losses]
    assert [loss.path for loss in losses] == ["agent.a", "agent.b"]
    assert losses[0].experiment.startswith(
        "with everything else put back, together with agent.b the run differs"
    )
    assert losses[1].experiment.startswith(
        "with everything else put back, together with agent.a the run differs"
    )


def test_of_two_that_do_the_same_harm_both_are_lost(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += 100 if agent.a or agent.b else batch

    start = dict.fromkeys("ab", lambda seed: seed > 1)
    losses = [loss for loss, _ in judge(asked(update, "a b", **start), 1).losses]
    assert [loss.path for loss in losses] == ["agent.a", "agent.b"]
    assert not any("together" in loss.experiment for loss in losses)


@pytest.mark.parametrize("pair", ["ad", "af", "ce", "bc"])
def test_two_of_many_that_matter_together_are_found(asked: Any, pair: str) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += min(getattr(agent, name) for name in pair)

    names = "abcdef"
    experiment = asked(update, " ".join(names), **dict.fromkeys(names, seeded))
    assert [loss.path for loss, _ in judge(experiment, 1).losses] == [f"agent.{name}" for name in pair]


def test_what_the_run_makes_anew_is_harmless(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        agent.last = batch

    note = only_note(asked(update, "last", last=seeded))
    assert (note.path, note.how) == ("agent.last", HEALS)
    assert note.reason == f"the run makes it anew; nothing followed in {2 + HORIZON} steps"


def test_modes_of_one_network_make_one_note(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.net.train()
        agent.total += batch

    def network(seed: int) -> torch.nn.Module:
        torch.manual_seed(seed)
        return ComesBackInEvalMode(torch.nn.Linear(1, 1), torch.nn.Sequential(torch.nn.Linear(1, 1)))

    note = only_note(asked(update, net=network))
    assert (note.name, note.path, note.how) == ("modes of agent.net", "agent.net.training", HEALS)


def test_a_constant_that_nothing_reads_is_harmless(asked: Any) -> None:
    experiment = asked(adds, "spare", spare=seeded)
    note = only_note(experiment)
    assert (note.path, note.how) == ("agent.spare", UNREAD)
    assert (
        note.reason == f"nothing followed from it in {2 + HORIZON} steps, and nothing that was seen reads it"
    )
    assert [group.path for group in judge(experiment, 1).harmless] == ["agent.spare"]


def test_what_training_counts_and_nothing_reads_is_recorded(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        agent.steps += 1

    loss = only_loss(asked(update, "steps", steps=seeded))
    assert (loss.path, loss.how) == ("agent.steps", RECORDED)
    assert loss.effect == "training changes it, but no effect on training was seen"


def test_what_takes_effect_late_is_found_by_changing_it(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += 100 if agent.steps % 1000 == 0 else 1

    loss = only_loss(asked(update, "steps", steps=seeded))
    assert (loss.path, loss.how) == ("agent.steps", READ)
    assert loss.effect == f"nothing followed in {2 + HORIZON} steps, but training reads it"
    assert loss.experiment.startswith("changed on purpose, it changes agent.total at the ")


def test_what_shows_only_beyond_the_program_is_found(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += agent.bonus if agent.steps == 5 else 0

    loss = only_loss(asked(update, "bonus", steps=0, bonus=seeded))
    assert (loss.path, loss.how) == ("agent.bonus", SPREADS)
    # The first step beyond the program acts, so that the fifth update is the next.
    assert loss.effect == "it changes agent.total at the fifth step after the load"


def test_a_number_of_another_type_is_no_loss(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        agent.steps += 1

    experiment = asked(update, "steps", steps=lambda seed: 0 if seed == 1 else 1.0)
    assert only_note(experiment).path == "agent.steps"


def test_a_loss_that_is_known_is_put_back_and_hides_no_other(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += agent.a
        agent.total += agent.b

    experiment = asked(update, "a b", a=seeded, b=seeded)
    known = Loss(name="agent.a", path="agent.a", part="other state", how=SPREADS)
    experiment.inventory.add(known)
    losses = [loss for loss, _ in judge(experiment, 1).losses]
    assert losses[0] is known
    assert [loss.path for loss in losses] == ["agent.a", "agent.b"]


def test_a_known_loss_is_told_as_what_it_is_here(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += agent.steps

    experiment = asked(update, "steps", steps=seeded)
    experiment.inventory.add(Loss(name="it", path="agent.steps", part="other state", how=SPREADS, effect="e"))
    loss = only_loss(experiment)
    assert (loss.name, loss.part, loss.effect) == ("agent.steps", "counters", "e")
    assert experiment.inventory.losses == {"agent.steps": loss}


def test_a_used_receiver_is_judged_for_itself(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch + sum(agent.seen)
        agent.seen.append(batch)

    start = {"seen": lambda _: []}
    experiment = asked(update, **start)
    experiment.driver.adapter = KeepsItsOwn(start, update, "")
    assert judge(experiment, 1).losses == []
    assert [loss.path for loss, _ in judge(experiment, 1, used=True).losses] == ["agent.seen"]
    assert experiment.consulted == {(1, False), (1, True)}
    assert restored(experiment, 1)[0].seen == [3]
    assert restored(experiment, 1, used=True)[0].seen == [7, 8]


class RestoresLate(Forgetful):
    """Keeps the bonus that it has loaded until the first update asks for it."""

    def load(self, agent: Any, path: Path) -> Any:
        own = agent.bonus
        super().load(agent, path)
        agent.pending, agent.bonus = [agent.bonus], own
        return agent


def test_what_waits_for_the_first_step_is_not_blamed_for_what_is_lost_beside_it(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.bonus = agent.pending.pop() if agent.pending else agent.bonus
        agent.total += batch * agent.bonus * agent.rate

    start = {"bonus": seeded, "rate": seeded, "pending": lambda _: []}
    experiment = asked(update, **start)
    experiment.driver.adapter = RestoresLate(start, update, "rate")
    assert only_loss(experiment).path == "agent.rate"


def test_a_load_is_judged_once(asked: Any) -> None:
    experiment = asked(adds_bonus, "bonus", bonus=seeded)
    assert judge(experiment, 1) is judge(experiment, 1)
    assert follow(experiment, 1) is judge(experiment, 1)


def test_a_check_sees_only_the_losses_that_it_has_come_across_itself(asked: Any) -> None:
    experiment = asked(adds_bonus, "bonus", bonus=seeded)
    judge(experiment, 1)
    assert [loss.path for loss in experiment.losses_seen()] == ["agent.bonus"]
    experiment.begin(("agent.bonus",))  # another check
    assert experiment.losses_seen() == []
    judge(experiment, 1)
    assert [loss.path for loss in experiment.losses_seen()] == ["agent.bonus"]


def test_what_begins_anew_is_told_from_what_is_merely_not_loaded(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        agent.total += agent.steps * agent.bonus

    experiment = asked(update, "steps bonus", steps=0, bonus=seeded)
    found = {loss.path: loss.equals for loss, _ in judge(experiment, 1).losses}
    assert found == {"agent.steps": (AS_BUILT, AS_BEGUN), "agent.bonus": (AS_BUILT,)}


def test_what_follows_although_nothing_differs_is_told(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        OUTSIDE[agent] = OUTSIDE.get(agent, 0) + 1
        agent.total += OUTSIDE[agent]

    experiment = asked(update)
    assert not judge(experiment, 1).followed
    judgement = follow(experiment, 1)
    assert judgement.losses == []
    assert judgement.unexplained is not None
    assert judgement.unexplained.effect(experiment.part_of) == (
        "it changes agent.total at the first step after the load"
    )


def test_what_a_process_has_lost_is_not_put_right_by_what_is_run_to_put_the_rest_back(asked: Any) -> None:
    counted = [0]

    def begins(seed: int) -> int:
        counted[0] = 0
        return seed

    def update(agent: Any, batch: int) -> None:
        counted[0] += 1
        agent.total += batch * counted[0]

    judgement = judge(asked(update, "spare", spare=begins), 1)
    assert judgement.unexplained is not None
    assert judgement.losses == []


def test_nobody_is_blamed_where_something_follows_that_nothing_explains(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.steps += 1
        OUTSIDE[agent] = OUTSIDE.get(agent, 0) + 1
        agent.total += OUTSIDE[agent] if agent.steps > 2 else agent.bonus

    judgement = judge(asked(update, "bonus", steps=0, bonus=seeded), 1)
    assert judgement.unexplained is not None
    assert judgement.losses == []


def test_an_action_is_compared_although_the_state_is_the_same(asked: Any) -> None:
    def update(agent: Any, batch: int) -> None:
        agent.total += batch
        OUTSIDE[agent] = OUTSIDE.get(agent, 0) + 1

    experiment = asked(update, does=(Learn(3), Learn(4), Act(None)))
    spread = follow(experiment, 1).unexplained
    assert spread is not None
    assert spread.effect(experiment.part_of) == "it changes the action at the second step after the load"
    with pytest.raises(CheckFailure, match="step 2 differs from the run that was never interrupted"):
        all_checks()["next_steps_survive_reload"].function(experiment)


def test_what_is_sent_to_another_process_has_no_leaves(asked: Any) -> None:
    judgement = judge(asked(adds_bonus, "bonus spare", bonus=seeded, spare=seeded), 1)
    sent = judgement.without_leaves()
    assert sent.losses == [(judgement.losses[0][0], None)]
    assert (sent.harmless, sent.healing) == ([], [])
    assert sent.followed
