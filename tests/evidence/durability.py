# SPDX-License-Identifier: MIT
"""Damages, kills, attacks and interrupts checkpoints by the thousand: ``tox run -e durability``."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from filled import filled
from formats import FORMATS, Format
from hostile import fuzz
from interrupts import ALLOWED, CASES, interrupted, summary
from payloads import payloads
from same import same

from td3_core import TD3, TD3Config
from td3_core.checkpoint.contents import capture
from td3_core.checkpoint.plain_data import plain_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass
class Tally:
    """What became of the trials of one experiment with one format."""

    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    unnamed: int = 0

    def __str__(self) -> str:
        return summary(self.outcomes)


class Laboratory:
    """One agent's checkpoint in one format, and what is done to it.

    Args:
        kind: the format.
        agent: what is saved.
        folder: an empty folder.
    """

    def __init__(self, kind: Format, agent: TD3, folder: Path) -> None:
        self.kind = kind
        self.path = folder / "checkpoint"
        self.contents = plain_data(capture(agent), copy=True)
        kind.save(self.path, self.contents)
        self.data = self.path.read_bytes()
        self.expected = kind.load(self.path)
        self.tally = Tally()

    def attempt(self, *, allowed: Iterable[Any] = ()) -> str:
        """Load, and count what happened: refused, intact, or silently another state."""
        tally = self.tally
        try:
            loaded = self.kind.load(self.path)
        except Exception as error:
            tally.errors[type(error).__name__] += 1
            tally.unnamed += str(self.path) not in str(error)
            outcome = "refused"
        else:
            intact = any(same(loaded, one) for one in (self.expected, *allowed))
            outcome = "intact" if intact else "silent"
        tally.outcomes[outcome] += 1
        return outcome

    def flip(self, bits: Iterable[int]) -> None:
        """Load with each of these bits flipped, one at a time."""
        with self.path.open("r+b", buffering=0) as file:
            for bit in bits:
                place = bit // 8
                os.pwrite(file.fileno(), bytes([self.data[place] ^ 1 << bit % 8]), place)
                self.attempt()
                os.pwrite(file.fileno(), self.data[place : place + 1], place)

    def cut(self, lengths: Iterable[int]) -> None:
        """Load with the file cut to each of these lengths, from long to short."""
        for length in sorted(lengths, reverse=True):
            os.truncate(self.path, length)
            self.attempt()
        self.path.write_bytes(self.data)


# -- experiments ---------------------------------------------------------------------------------------------


def uniform_flips(lab: Laboratory, scale: Scale) -> None:
    """One bit anywhere."""
    draw = random.Random(1)
    lab.flip(draw.randrange(8 * len(lab.data)) for _ in range(scale.flips))


def metadata_flips(lab: Laboratory, scale: Scale) -> None:
    """One bit of what is not the elements of a tensor."""
    draw = random.Random(2)
    places = lab.kind.metadata(lab.data)
    lab.flip(8 * draw.choice(places) + draw.randrange(8) for _ in range(scale.flips))


def every_bit(lab: Laboratory, scale: Scale) -> None:
    """Every bit; of the formats that are compared with, every 50th, which takes them as long."""
    lab.flip(range(0, 8 * len(lab.data), scale.stride * (1 if lab.kind.name == "td3_core" else 50)))


def every_truncation(lab: Laboratory, scale: Scale) -> None:
    """Every length."""
    lab.cut(range(0, len(lab.data), scale.stride))


def kills(lab: Laboratory, scale: Scale) -> None:
    """SIGKILL at a random moment of a save over an old checkpoint."""
    draw = random.Random(3)
    newer = {**lab.contents, "total_it": 12_345}
    lab.kind.save(lab.path, newer)
    new_state = lab.kind.load(lab.path)
    started = time.monotonic()
    lab.kind.save(lab.path, newer)
    seconds = time.monotonic() - started
    for _ in range(scale.kills):
        lab.path.write_bytes(lab.data)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                os.write(writer, b".")
                lab.kind.save(lab.path, newer)
            os._exit(0)
        os.read(reader, 1)
        time.sleep(draw.uniform(0, 1.2 * seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
        _rename_refused(lab, lab.attempt(allowed=[new_state]), "lost")
    lab.kind.save(lab.path, newer)
    lab.tally.outcomes["left behind"] += len(list(lab.path.parent.iterdir())) - 1
    lab.tally.outcomes += Counter()


def no_room(lab: Laboratory, scale: Scale) -> None:
    """No room for a write, at every place in the file at which one begins or ends, and at every page."""
    newer = {**lab.contents, "total_it": 12_345}
    places = lab.kind.writes(newer) | set(range(0, len(lab.data), 4096 * scale.stride))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for place in sorted(one for one in places if one < len(lab.data)):
        lab.path.write_bytes(lab.data)
        resource.setrlimit(resource.RLIMIT_FSIZE, (place, hard))
        try:
            lab.kind.save(lab.path, newer)
            told = False
        except Exception as error:
            told = True
            lab.tally.errors[type(error).__name__] += 1
            lab.tally.unnamed += str(lab.path) not in str(error)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if not told:
            lab.tally.outcomes["not told"] += 1
            continue
        errors, unnamed = lab.tally.errors.copy(), lab.tally.unnamed
        _rename_refused(lab, lab.attempt(), "lost")
        lab.tally.errors, lab.tally.unnamed = errors, unnamed


def attacks(lab: Laboratory, scale: Scale) -> None:
    """Files that carry code, each of which is seen to run first."""
    del scale
    marker = lab.path.with_name("marker")
    for data in payloads(marker):
        lab.path.write_bytes(data)
        outcome = lab.attempt()
        if marker.exists():
            marker.unlink()
            lab.tally.outcomes[outcome] -= 1
            lab.tally.outcomes["executed"] += 1
    lab.tally.outcomes += Counter()


def hostile_contents(lab: Laboratory, scale: Scale) -> None:
    """Files whose contents nobody has written, each sealed; told are the worst of them."""
    outcome = fuzz(scale.files, random.Random(5), lab.path.parent)
    lab.tally.outcomes, lab.tally.unnamed = outcome.counts, outcome.unnamed
    lab.tally.errors = outcome.errors
    print(
        f"  longest message {outcome.longest_message:,} characters, slowest file {outcome.seconds:.2f} s, "
        f"largest excess of memory {max(0, outcome.excess):,} bytes",
        *outcome.wrong,
        sep="\n  ",
        file=sys.stderr,
    )


def _rename_refused(lab: Laboratory, outcome: str, name: str) -> None:
    """A refusal is what damage deserves; of a file that was good before, it is a loss."""
    if outcome == "refused":
        lab.tally.outcomes["refused"] -= 1
        lab.tally.outcomes[name] += 1
        lab.tally.outcomes += Counter()


@dataclass(frozen=True)
class Scale:
    """How much is done: all of it, or a part of it to see that it works."""

    flips: int = 10_000
    kills: int = 300
    interrupts: int = 1000
    stride: int = 1
    files: int = 20_000


#: Each experiment, and whether it is done to the small checkpoint.
EXPERIMENTS: dict[str, tuple[Callable[[Laboratory, Scale], None], bool]] = {
    "bit flips, uniform": (uniform_flips, False),
    "bit flips, metadata": (metadata_flips, False),
    "every bit": (every_bit, True),
    "every truncation": (every_truncation, True),
    "kills while saving": (kills, False),
    "no room at every write": (no_room, False),
    "files that carry code": (attacks, True),
    "hostile contents": (hostile_contents, True),
}
#: What only files of this project can be: contents of other formats are whatever they are.
_OURS = frozenset({"hostile contents"})


#: Operations of td3_core that are interrupted, by what the experiment is called.
INTERRUPTS = {f"interrupts, {name}": name for name in CASES}


def run(scale: Scale, names: Iterable[str]) -> Iterator[tuple[str, str, Tally]]:
    """Do every experiment to every format."""
    small, large = TD3(TD3Config.tiny("vector", actor_hidden=(2,), critic_hidden=(2,)), seed=0), medium()
    for name in names:
        experiment, is_small = EXPERIMENTS[name]
        for kind in FORMATS[:1] if name in _OURS else FORMATS:
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                lab = Laboratory(kind, small if is_small else large, Path(folder))
                started = time.monotonic()
                experiment(lab, scale)
            seconds = time.monotonic() - started
            print(f"{name}, {kind.name}: {lab.tally} ({seconds:.0f} s)", file=sys.stderr, flush=True)
            yield name, kind.name, lab.tally


def medium() -> TD3:
    """An agent whose checkpoint has about 1 MB, with moments."""
    return filled(TD3Config.tiny("vector", actor_hidden=(128, 128), critic_hidden=(128, 128)))


def main() -> None:
    """Print the table; exit with 1 if td3_core lost, accepted or ran anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of it, to see that it works")
    parser.add_argument("--only", action="append", choices=[*EXPERIMENTS, *INTERRUPTS], help="one experiment")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scale = Scale(flips=100, kills=6, interrupts=10, stride=500, files=300) if options.quick else Scale()
    names = options.only or [*EXPERIMENTS, *INTERRUPTS]
    bad = False
    rows = ["| experiment | format | outcome | errors | messages without the file |", "|---|---|---|---|---|"]
    for name, kind, tally in run(scale, [name for name in names if name in EXPERIMENTS]):
        errors = ", ".join(sorted(tally.errors)) or "none"
        rows.append(f"| {name} | {kind} | {tally} | {errors} | {tally.unnamed:,} |")
        if kind == "td3_core":
            wrong = set(tally.outcomes) - {"refused", "intact", "loaded"}
            bad |= bool(wrong or tally.unnamed or set(tally.errors) - {"CheckpointError"})
    rows += ["", "| interrupted | how | outcome |", "|---|---|---|"]
    for name in names:
        if name in INTERRUPTS:
            for way, outcomes in interrupted(INTERRUPTS[name], scale.interrupts):
                rows.append(f"| {INTERRUPTS[name]} | {way} | {summary(outcomes)} |")
                bad |= bool(set(outcomes) - ALLOWED)
    print("\n".join(rows))
    print(
        "\ntd3_core: "
        + ("FAILED" if bad else "0 silent, 0 lost, 0 executed, 0 mixed, one exception type, all named")
    )
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
