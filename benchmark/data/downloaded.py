"""Data sets whose files are downloaded: their YAML says from where, and :mod:`benchmark.fetch` does the rest."""

from __future__ import annotations

from pathlib import Path

from benchmark.api import Dataset, Options
from benchmark.fetch import Downloads, Origin, download


class Downloaded(Dataset):
    """A data set with an ``origin`` in its YAML.

    Attributes:
        downloads: Where downloads are kept; the stage ``fetch`` sets it. Without it they are kept beside the folder
            that :meth:`fetch` fills, as ``<folder>.downloads``.
    """

    class Settings(Options):
        """What every such YAML holds."""

        origin: Origin

    settings: Settings
    source = "the origin in its YAML"
    downloads: Downloads | None = None

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        origin = settings.origin
        self.source = f"{' '.join(origin.citation.split())} Licence: {origin.licence}. {origin.homepage}"

    def fetch(self, folder: Path) -> None:
        download(self.settings.origin, folder, **vars(self.downloads or Downloads.beside(folder)))
