# SPDX-License-Identifier: MIT
"""Names of the checks that kill mutants of more than one agent."""

from __future__ import annotations

ACTIONS = "actions_survive_reload"
BINDING = "objects_stay_bound"
COUNTERS = "counters_survive_reload"
GENERATORS = "generators_survive_reload"
HYPER_PARAMETERS = "hyper_parameters_survive_reload"
LEAVES = "every_leaf_survives_reload"
MODES = "modes_survive_reload"
MOMENTS = "optimizer_state_survives_reload"
ONLINE_NETWORKS = "online_networks_survive_reload"
REPEATED = "repeated_reloads_change_nothing"
RESUME = "resume_equals_uninterrupted"
SAVING = "saving_leaves_the_agent_unchanged"
SCHEDULES = "schedules_survive_reload"
STEPS = "next_steps_survive_reload"
TARGET_NETWORKS = "targets_survive_reload"
