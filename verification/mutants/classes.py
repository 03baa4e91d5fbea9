# SPDX-License-Identifier: MIT
"""Classes of public checkpoint bugs: what goes wrong in each, and why some have no mutant."""

from __future__ import annotations

#: What goes wrong, by the code of the class.
CLASSES = {
    "MIS": "a component is silently missing from the checkpoint",
    "OPT": "optimizer state is not saved, not restored, or erased behind the load",
    "BND": "optimizers, schedules or wrappers are bound to objects that are no longer used",
    "TGT": "target networks are lost, made anew, or filled from the wrong network",
    "CNT": "step counters, phases of updates or replay ratios restart",
    "SCH": "learning-rate or weight-decay schedules come back at another position",
    "HYP": "hyper-parameters are lost, transformed again, or overridden by the constructor's",
    "WIN": "the checkpoint undoes what the caller has set",
    "BUF": "replay loses transitions, its cursor, priorities or types",
    "RNG": "the state of a random stream is not saved",
    "RNL": "a random stream is disturbed by the save or load itself",
    "RNF": "the state of a random stream has another form, and is passed over",
    "PUR": "saving or loading changes the agent",
    "BNS": "statistics of batch normalisation are lost",
    "MOD": "networks come back in the wrong mode, train or eval",
    "NRM": "statistics that normalise observations or rewards are lost",
    "ALP": "an entropy temperature, or what is derived from it, is lost",
    "EXP": "exploration noise or its schedule restarts",
    "AMP": "the state of a gradient scaler is lost",
    "EMA": "averaged weights are lost, or taken for the weights themselves",
    "ORD": "state is mapped to the wrong parameters",
    "STR": "an error is hidden: keys that do not fit, exceptions, an ignored result",
    "DTY": "the precision changes on the way",
    "DEV": "state comes back on another device",
    "TIE": "tied parameters are untied, or untied ones tied",
    "FMT": "strides or memory formats are lost, or scramble what they describe",
    "ALS": "a saved snapshot keeps changing",
    "ALL": "a loaded agent shares memory with the checkpoint or with another agent",
    "MUT": "loading changes the checkpoint",
    "ATM": "an interrupted save leaves nothing that loads",
    "COR": "a damaged file is accepted, or leaves an agent half loaded",
    "SEL": "the wrong checkpoint is taken for the latest one",
    "VER": "a file of another version is misread",
    "PKL": "a checkpoint runs code, or loads only where it was made",
    "DAT": "the place in the training data is lost",
    "ACC": "half-accumulated gradients are lost",
    "ENV": "the episode in progress, sub-environments or frame stacks start afresh",
    "PRE": "wrappers leave prefixes in the keys",
    "SPN": "parametrised weights lose the vectors that they are computed with",
    "NPB": "plain attributes and buffers that are in no state dict are lost",
    "LAZ": "state that is made late is half made, or taken for missing",
    "OBO": "a step or an epoch is repeated, or skipped",
    "BST": "the best metric or the patience so far is forgotten",
    "FRZ": "frozen parameters are thawed, or trained ones frozen",
    "ENC": "containers come back as others",
    "RPT": "the second cycle fails although the first works",
    "DEF": "restoration waits for a first use that may never come",
    "control": "no library does this; without it no verdict would mean anything",
}

#: Classes without a mutant, and why.
NOT_PLANTED = {
    "DEV": "needs a second device: on one, nothing can come back on another",
}
