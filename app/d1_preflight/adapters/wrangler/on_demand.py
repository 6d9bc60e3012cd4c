"""The wrangler of a project's session, found when its first command runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from d1_preflight.adapters.wrangler.evidence import EvidenceFolder
from d1_preflight.adapters.wrangler.redaction import Redactor
from d1_preflight.adapters.wrangler.runner import RealWrangler, is_writing
from d1_preflight.adapters.wrangler.toolchain import Toolchain
from d1_preflight.core.ports import Emit, Evidence, silent
from d1_preflight.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class WranglerOnDemand:
    """Wrangler, looked for when it is first needed: the board paints without it.

    `toolchain` finds it once, `find` anew; `private` is the folder of what runs now. `lock` is
    the open file that locks the record: a command that is left alone keeps it.
    """

    toolchain: Callable[[], Toolchain]
    find: Callable[[], Toolchain]
    root: Path
    environ: Mapping[str, str]
    evidence: Path
    lock: Callable[[], int | None]
    secrets: tuple[str, ...]
    private: Path

    async def run(
        self,
        args: Sequence[str],
        *,
        cwd: Path,
        emit: Emit = silent,
        keep: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as the port has it
        protect: bool = False,
    ) -> Evidence:
        """Run it; raises WranglerUnavailable where there is none."""
        wrangler = RealWrangler(
            self.toolchain(),
            self.evidence,
            self.private,
            self.environ,
            self.secrets,
            self._locks,
            self.root,
        )
        return await wrangler.run(
            args, cwd=cwd, emit=emit, keep=keep, timeout=timeout, protect=protect
        )

    @property
    def version(self) -> str:
        """The version that would run now: looked up afresh, for it may have been replaced."""
        return self.find().wrangler_version

    def is_writing(self) -> bool:
        """Whether a protected command that was left is still at work."""
        return is_writing(self.private)

    def recover(self, step: str) -> tuple[Evidence, ...]:
        """Evidence of a step's commands whose end was not observed."""
        redactor = Redactor.of(self.environ, self.secrets)
        return EvidenceFolder(self.evidence, self.private, redactor, self.root).recover(step)

    def _locks(self) -> tuple[int, ...]:
        held = self.lock()
        return () if held is None else (held,)
