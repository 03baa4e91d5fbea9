# SPDX-License-Identifier: MIT
"""What a planted bug loses: the leaf that its failure has to name, and for some what goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verification.mutants.model import Mutant

_WHOLE_OPTIMIZERS = ("_optimizer",)
_VECTORS = ("parametrizations['weight'][0]",)
_BESIDES: dict[str, tuple[str, ...]] = {
    # Several pieces are planted, of which one has to be named.
    "only_weights_restored": ("agent.total_it", "_optimizer", "_scheduler"),
    "only_tensors_restored": ("agent.total_it", "_optimizer", "_scheduler"),
    "only_actor_and_critic_saved": (
        *("agent.alpha", "agent.replay", "agent.critic_target", "agent.averaged_actor"),
        *("agent.gradient_steps", "agent.temperature_optimizer"),
    ),
    "only_the_first_stream_is_restored": ("agent.replay_generator",),
    "refused_streams_are_passed_over": ("agent.replay_generator", "agent.exploration_generator"),
    "running_statistics_lost": ("num_batches_tracked",),
    "cumulative_average_lost": ("agent.actor.norm.running_var",),
    "all_environments_get_the_first_ones_state": ("agent.workers[2]",),
    "only_the_first_environment_restored": ("agent.workers[2]",),
    # What follows from the piece at once: a number computed from it, or the rate that a schedule has set.
    "priorities_lost": ("agent.replay.max_priority", "agent.replay.priority_sum"),
    "temperature_lost": ("agent.alpha",),
    "schedules_stepped_at_load": ("['lr']",),
    # A parameter that was replaced is no longer the one that its optimizer holds.
    "normalised_weight_becomes_the_original": ("agent.critic_optimizer.param_groups[0]['params']",),
    "unknown_keys_ignored": ("agent.critic_optimizer.param_groups[0]['params']",),
    "critic_gets_a_cnn_of_its_own": ("agent.optimizers['critic_cnn'].param_groups",),
    "each_network_gets_a_trunk": ("agent.critic_optimizer.param_groups[0]['params']",),
    # All that differs in what holds the piece, which is named as a whole.
    "adam_step_lost": _WHOLE_OPTIMIZERS,
    "numbers_do_not_fit_the_format": _WHOLE_OPTIMIZERS,
    "step_counts_become_doubles": _WHOLE_OPTIMIZERS,
    "step_counts_become_integers": _WHOLE_OPTIMIZERS,
    "flag_of_a_newer_version_missing": _WHOLE_OPTIMIZERS,
    "average_loaded_into_the_actor": ("agent.actor",),
    "restored_config_does_not_reach_the_modules": ("agent.actor.dropout",),
    "vectors_of_the_spectral_norm_lost": _VECTORS,
    "buffers_of_the_average_never_follow": _VECTORS,
    "vectors_of_the_spectral_norm_averaged": _VECTORS,
}


def accused(mutant: Mutant, losses: Iterable[str]) -> tuple[str, ...]:
    """Of losses that failures have named, those that the bug did not cause."""
    leaf = mutant.leaf.removesuffix(".").removesuffix(".state")
    pieces = (leaf, *_BESIDES.get(mutant.name, ()))
    return tuple(name for name in losses if not any(piece in name for piece in pieces))


def explained() -> frozenset[str]:
    """The mutants of which more than the one leaf is said here."""
    return frozenset(_BESIDES)
