"""The most memory that a block of code holds beyond what the process held before it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Measure a block by Linux's count of resident memory; elsewhere ``megabytes`` stays None.

    Attributes
    ----------
    megabytes : float or None
        Peak in the block, less what was held at its start. Memory that an earlier block had freed
        without giving it back is not counted again.
    """

    megabytes: float | None = None

    def __enter__(self) -> PeakMemory:
        if STATUS.exists():
            RESET.write_text("5")  # the peak starts anew from what is held now
            self._before = self._read("VmRSS")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if STATUS.exists():
            self.megabytes = round((self._read("VmHWM") - self._before) / 1024, 1)

    @staticmethod
    def _read(name: str) -> int:
        lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(lines[name].split()[0])
