"""One file of a data set: from the folder of downloads, else from the first place that has it whole and right."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import httpx
import tenacity

from benchmark.fetch.checksums import Checksums, Seen
from benchmark.fetch.origin import RemoteFile
from benchmark.fetch.part import Part
from benchmark.fetch.places import Downloads, Source, sources
from benchmark.fetch.progress import Progress
from benchmark.fetch.receive import Patience, receive
from benchmark.fetch.trouble import Note, Refused, Stopped, Transient, Unavailable, full_disk_told
from benchmark.fetch.verify import Finding, inspect

HERE = "put there by hand"
PIECE = 1 << 20


@dataclass(frozen=True)
class Transfers:
    """What all files of one fetch share."""

    downloads: Downloads
    checksums: Checksums
    client: httpx.Client
    patience: Patience
    progress: Progress
    stop: Event

    def get(self, file: RemoteFile) -> Seen | None:
        """Makes sure that the file lies under its name in the folder of downloads, whole and right.

        Returns:
            Its hash, size and place; nothing if it is optional and nowhere.

        Raises:
            Unavailable: If no place has it.
            DiskFull: If there is no room for it.
            Stopped: If ``stop`` was set.
        """
        final = self.downloads.cache / file.name
        notes: list[Note] = []
        if final.is_file():
            found = inspect(final, file, self.checksums.sha256(file))
            if not found.problem:
                self.progress.say(f"{file.name}: in {self.downloads.cache}, checked")
                return Seen(found.sha256, found.size, HERE)
            notes.append(Note(str(final), found.problem + self._advice(file, found)))
            if file.urls:  # else a person put it there, and decides
                final.replace(final.with_name(f"{final.name}.wrong"))
        for source in sources(file, self.downloads.dataset, self.downloads.mirror):
            try:
                return self._from(source, file, final)
            except (Refused, Transient) as error:
                notes.append(Note(source.place, str(error), missing=isinstance(error, Refused) and error.missing))
                self.progress.say(f"{file.name}: {source.place}: {error}")
            finally:
                self.progress.end(file.name)
        if file.optional and all(note.missing for note in notes):
            self.progress.say(f"{file.name}: optional, and nowhere; left out")
            return None
        raise Unavailable(file, notes or [Note(str(final), "nothing there")])

    def _from(self, source: Source, file: RemoteFile, final: Path) -> Seen:
        """From one place. What is wrong though it was joined from several answers is asked for once more as a whole."""
        part = Part(final)
        if source.path is None:
            self._in_attempts(source.place, file, part)
            found = self._found(file, part)
            if found.problem and part.joined:
                part.drop()
                self._in_attempts(source.place, file, part)
                found = self._found(file, part)
        else:
            self._copy(source.path, file, part)
            found = self._found(file, part)
        if found.problem:
            part.drop()
            raise Refused(found.problem + self._advice(file, found))
        with part.path.open("rb") as stream:
            os.fsync(stream.fileno())
        part.finish(final)
        return Seen(found.sha256, found.size, source.place)

    def _found(self, file: RemoteFile, part: Part) -> Finding:
        return inspect(part.path, file, self.checksums.sha256(file))

    def _advice(self, file: RemoteFile, found: Finding) -> str:
        recorded = self.checksums.sha256(file)
        return f" ({self.checksums.advice(file.name)})" if recorded and recorded in found.problem else ""

    def _in_attempts(self, url: str, file: RemoteFile, part: Part) -> None:
        """Asks until the answer is whole; gives up after some attempts in a row that brought no new byte."""
        known = file.known or bool(self.checksums.sha256(file))
        farthest, in_vain = part.size, 0

        def ask() -> None:
            nonlocal farthest, in_vain
            if self.stop.is_set():
                raise Stopped
            try:
                receive(self.client, url, file, part, known, self.patience, self.stop, self._arrived(file))
            except Refused:
                part.drop()
                raise
            except Transient:
                in_vain = 0 if part.size > farthest else in_vain + 1
                farthest = max(farthest, part.size)
                raise

        grows = tenacity.wait_exponential_jitter(
            self.patience.first_wait, self.patience.longest_wait, jitter=self.patience.first_wait
        )

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.wait if isinstance(error, Transient) else 0.0
            return max(asked, grows(state) if in_vain else self.patience.first_wait)

        try:
            tenacity.Retrying(
                retry=tenacity.retry_if_exception_type(Transient),
                stop=lambda _: in_vain >= self.patience.attempts,
                wait=wait,
                sleep=self._sleep,
                reraise=True,
            )(ask)
        except Transient as error:
            raise Transient(f"{error} (given up after {in_vain} attempts in vain)") from error

    def _sleep(self, seconds: float) -> None:
        self.stop.wait(seconds)

    def _arrived(self, file: RemoteFile) -> Callable[[int, int | None], None]:
        return lambda done, total: self.progress.at(file.name, done, total)

    def _copy(self, path: Path, file: RemoteFile, part: Part) -> None:
        """From a folder of this machine."""
        if not path.is_file():
            raise Refused("no such file", missing=True)
        with full_disk_told(part.path), path.open("rb") as source:
            part.begin(path.as_uri() if path.is_absolute() else str(path))
            with part.path.open("wb") as out:
                while piece := source.read(PIECE):
                    if self.stop.is_set():
                        raise Stopped
                    out.write(piece)
                    self.progress.at(file.name, out.tell(), path.stat().st_size)
