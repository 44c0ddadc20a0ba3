"""Processor time of the processes that take part, and how busy a core was: read before, read after, subtract."""

import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds of processor time by process, and of the core: busy ones, and all that passed."""

    cpu_s: dict[str, float]
    busy_s: float
    at_s: float

    def since(self, before: "Reading") -> "Reading":
        spent = {name: seconds - before.cpu_s.get(name, 0.0) for name, seconds in self.cpu_s.items()}
        return Reading(spent, self.busy_s - before.busy_s, self.at_s - before.at_s)

    @property
    def busy(self) -> float:
        """The share of the time in which the core worked, for us or for anybody else."""
        return self.busy_s / self.at_s if self.at_s else 0.0


class Meter:
    """`core` is the one whose business is told."""

    def __init__(self, core: int) -> None:
        self._core = core
        self._watched: dict[str, psutil.Process] = {}

    def watch(self, name: str, process: int) -> None:
        self._watched[name] = psutil.Process(process)

    def pid(self, name: str) -> int:
        return self._watched[name].pid

    def read(self) -> Reading:
        """What was used so far; a process that has ended is left out."""
        used = {}
        for name, process in self._watched.items():
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                times = process.cpu_times()
                used[name] = times.user + times.system
        return Reading(used, self._busy_s(), time.monotonic())

    def _busy_s(self) -> float:
        cores = psutil.cpu_times(percpu=True)
        times = cores[self._core] if self._core < len(cores) else psutil.cpu_times()
        return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
