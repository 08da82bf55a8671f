"""What a network clock noted: seconds in the networks, and a whole run's time scaled from a few computed tiles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass
class ClockedNetwork:
    """The tiles of one network in one run."""

    name: str
    tiles: int = 0
    computed: int = 0
    first_seconds: float = 0.0
    """Of the first call: it pays for memory and for the plans of the convolutions."""
    later_seconds: float = 0.0
    first_tiles: int = 0
    repeated_seconds: float = 0.0
    """What handing the last answer out again took, instead of computing one."""

    @property
    def seconds_per_tile(self) -> float:
        """Of the tiles after the first call, or of the first where there is no other."""
        later = self.computed - self.first_tiles
        return self.later_seconds / later if later else self.first_seconds / max(self.first_tiles, 1)

    @property
    def seconds(self) -> float:
        """Of all tiles, those scaled that were not computed."""
        return self.first_seconds + self.later_seconds + (self.tiles - self.computed) * self.seconds_per_tile


@dataclass
class ClockedRun:
    """A run's wall time and its networks."""

    wall_seconds: float
    networks: list[ClockedNetwork]

    @property
    def network_seconds(self) -> float:
        return sum(network.seconds for network in self.networks)

    @property
    def outside_seconds(self) -> float:
        """Everything but the networks: measured on the whole job, nothing is scaled."""
        measured = sum(n.first_seconds + n.later_seconds + n.repeated_seconds for n in self.networks)
        return self.wall_seconds - measured

    @property
    def seconds(self) -> float:
        """The whole run with all its tiles computed."""
        return self.outside_seconds + self.network_seconds

    @property
    def tiles(self) -> int:
        return sum(network.tiles for network in self.networks)

    def arithmetic(self) -> str:
        """``wall - repeated + skipped tiles x seconds``, in words and numbers."""
        computed = sum(network.computed for network in self.networks)
        terms = [
            "{:.1f} s outside the networks".format(self.outside_seconds),
            "{} computed tiles {:.1f} s".format(
                computed, sum(n.first_seconds + n.later_seconds for n in self.networks)
            ),
        ]
        for network in self.networks:
            if network.tiles > network.computed:
                skipped = network.tiles - network.computed
                terms.append("{} x {:.2f} s ({})".format(skipped, network.seconds_per_tile, network.name.split("_")[0]))
        return " + ".join(terms) + " = {:.1f} s for {} tiles".format(self.seconds, self.tiles)


def clocked_run(wall_seconds: float, clock_file: Path) -> ClockedRun:
    """Reads the lines of a clock and removes the file."""
    networks: dict[str, ClockedNetwork] = {}
    lines = clock_file.read_text(encoding="ascii").splitlines() if clock_file.exists() else []
    for line in lines:
        call = json.loads(line)
        network = networks.setdefault(call["network"], ClockedNetwork(call["network"]))
        network.tiles += call["tiles"]
        if not call["is_computed"]:
            network.repeated_seconds += call["seconds"]
            continue
        if network.computed:
            network.later_seconds += call["seconds"]
        else:
            network.first_seconds, network.first_tiles = call["seconds"], call["tiles"]
        network.computed += call["tiles"]
    clock_file.unlink(missing_ok=True)
    return ClockedRun(wall_seconds, list(networks.values()))
