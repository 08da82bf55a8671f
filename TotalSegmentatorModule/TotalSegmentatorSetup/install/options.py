"""What is to be installed, from where, over which network, and into which folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.user_folders import default_engines_folder, default_models_folder

from TotalSegmentatorSetup.install.offline_folder import MODELS, PACKAGES
from TotalSegmentatorSetup.network.access import PROXY_VARIABLE, NetworkSettings
from TotalSegmentatorSetup.packages.package_store import PackageSources


@dataclass(frozen=True)
class InstallOptions:
    """The defaults suit most computers."""

    models: Sequence[str] = ()
    """Ids of the catalogue."""
    torch_variant: str | None = None
    """None for the one that suits this computer."""
    repair: bool = False
    """The packages are installed anew even where they are there."""
    from_folder: Path | None = None
    """An offline folder (make-offline-bundle), or a plain folder of wheels or archives, in place of the network."""
    index_url: str | None = None
    extra_index_url: str | None = None
    proxy: str | None = None
    certificate_file: Path | None = None
    models_folder: Path = field(default_factory=default_models_folder)
    engines_folder: Path = field(default_factory=default_engines_folder)

    @property
    def network(self) -> NetworkSettings:
        return NetworkSettings(self.proxy or os.environ.get(PROXY_VARIABLE) or None, self.certificate_file)

    @property
    def sources(self) -> PackageSources:
        return PackageSources(self.index_url, self.extra_index_url, self._in_offline_folder(PACKAGES))

    @property
    def archives(self) -> Path | None:
        """The folder of the models' archives; None where they are downloaded."""
        return self._in_offline_folder(MODELS)

    def _in_offline_folder(self, name: str) -> Path | None:
        """The folder ``name`` of an offline folder; a plain folder of files is one as well."""
        if self.from_folder is None:
            return None
        return self.from_folder / name if (self.from_folder / name).is_dir() else self.from_folder
