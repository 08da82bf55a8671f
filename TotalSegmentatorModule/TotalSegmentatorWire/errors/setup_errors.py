"""Failures and warnings of the set-up: the network, archives, packages and the engine's first test."""

from __future__ import annotations

from TotalSegmentatorWire.errors.definition import ErrorDefinition, table, warnings_table
from TotalSegmentatorWire.errors.definition import translatable as _

SETUP_ERRORS: dict[str, ErrorDefinition] = table(
    __file__,
    # -- the network ---------------------------------------------------------------------------------------------------
    (
        "NETWORK_NO_ROUTE",
        60,
        _("This computer cannot reach the server {host}."),
        _("Check the network connection or the proxy address and try again, or install from an offline folder."),
    ),
    (
        "NETWORK_NAME_NOT_FOUND",
        61,
        _("The address of the server {host} could not be found."),
        _("Check the network connection and whether you need a proxy, or install from an offline folder."),
    ),
    (
        "PROXY_PASSWORD_NEEDED",
        62,
        _("The proxy {host} requires a user name and password."),
        _("Include both in the proxy address, as your IT department specifies, or install from an offline folder."),
    ),
    (
        "CERTIFICATE_NOT_TRUSTED",
        63,
        _("This computer does not trust the certificate of the server {host}."),
        _(
            "If your network inspects secure connections, choose its certificate file in the set-up settings; "
            "otherwise install from an offline folder."
        ),
    ),
    (
        "CLOCK_WRONG",
        64,
        _("The certificate of the server {host} is not valid on this computer's current date, {date}."),
        _("Set the computer's clock and try again."),
    ),
    (
        "DOWNLOAD_NOT_FOUND",
        65,
        _("The server {host} no longer has the file {file}."),
        _("Update the extension, or download the file elsewhere and add it from disk."),
    ),
    (
        "DOWNLOAD_REFUSED",
        66,
        _("The server {host} denied access to the file {file}."),
        _("Ask your IT department to allow this address, or download the file elsewhere and add it from disk."),
    ),
    (
        "DOWNLOAD_SERVER_FAILED",
        67,
        _("The server {host} reported an error (status {status})."),
        _("Try again later; what has been downloaded is kept."),
    ),
    (
        "DOWNLOAD_CUT",
        68,
        _("The connection to the server {host} was lost repeatedly."),
        _("Try again; the download resumes where it stopped."),
    ),
    (
        "DOWNLOAD_WRONG_SIZE",
        69,
        _("The downloaded file {file} has {found} bytes instead of {expected}."),
        _("Try again. If it happens again, the file was changed in transit; try another network."),
    ),
    (
        "DOWNLOAD_WRONG_DIGEST",
        70,
        _("The downloaded file {file} differs from the published one: its SHA-256 checksum is wrong."),
        _("Try again. If it happens again, do not use the file and inform your IT department."),
    ),
    (
        "MODEL_DIGEST_CHANGED",
        71,
        _("The archive {file} differs from the one that was installed here before."),
        _(
            "Wait until the publisher confirms the change. Then run 'models remove --forget-digest' and "
            "install the model again."
        ),
    ),
    (
        "DOWNLOAD_LEFT_HOST",
        217,
        _("The server {host} passes the download of {file} on to another server, {other}."),
        _(
            "It was not followed, since nobody publishes a checksum for this file. Download the file elsewhere and add "
            "it from disk."
        ),
    ),
    # -- archives ------------------------------------------------------------------------------------------------------
    (
        "ARCHIVE_DAMAGED",
        72,
        _("The file {file} is damaged or is not a ZIP archive."),
        _("Download it again, or choose another file."),
    ),
    (
        "ARCHIVE_NOT_PUBLISHED",
        115,
        _("The file {file} bears the name of a published model but is not its archive: the SHA-256 checksum differs."),
        _(
            "Copy or download the published archive again. If this is your own model, rename the archive and the "
            "dataset folder in it, then add it again."
        ),
    ),
    (
        "ARCHIVE_TOO_LARGE",
        73,
        _("The archive {file} would unpack to more than {limit_gb:.1f} GB."),
        _("Do not use this file; download the model from its publisher again."),
    ),
    (
        "ARCHIVE_UNSAFE",
        74,
        _("The archive {file} contains an entry that does not belong in a model ({detail}) and was not unpacked."),
        _("Do not use this file; download the model from its publisher again."),
    ),
    # -- the disk ------------------------------------------------------------------------------------------------------
    (
        "FOLDER_NOT_WRITABLE",
        75,
        _("The folder for {purpose} is not writable."),
        _("In the set-up settings, choose a folder that you have permission to write to."),
    ),
    (
        "FILE_LOCKED",
        76,
        _("Another program, usually antivirus software, is using a file that has to be replaced or removed."),
        _("Wait a minute and try again. If it happens again, have the installation folders excluded from scanning."),
    ),
    (
        "SETUP_BUSY",
        77,
        _("Another instance of Slicer is already running this installation."),
        _("Wait until it is finished; both instances can then use it."),
    ),
    # -- packages ------------------------------------------------------------------------------------------------------
    (
        "PYTHON_UNSUPPORTED",
        78,
        _("No engine packages are available for Python {version} on {platform}."),
        _("Use Slicer 5.10 or later. On Apple silicon, also install Python 3.10 to 3.12 for arm64."),
    ),
    (
        "PIP_MISSING",
        79,
        _("Python's package installer pip is missing or cannot be started."),
        _("Reinstall Slicer, or choose another Python in the set-up settings."),
    ),
    (
        "PACKAGE_NOT_FOUND",
        80,
        _("The package {package} was not found in the package index or offline folder."),
        _("Check the index or folder in the set-up settings, then try again."),
    ),
    (
        "PACKAGE_INSTALL_FAILED",
        81,
        _("The engine's packages could not be installed ({detail})."),
        _("Try again. If it happens again, copy the diagnostics and report the problem."),
    ),
    (
        "PACKAGE_WRONG_DIGEST",
        82,
        _("A downloaded package differs from the published one: its checksum is wrong."),
        _("Try again. If it happens again, inform your IT department."),
    ),
    (
        "ENGINE_TEST_FAILED",
        83,
        _("The installed engine does not work on this computer: {detail}."),
        _("Click Repair. If it happens again, copy the diagnostics and report the problem."),
    ),
    (
        "BUNDLE_INCOMPLETE",
        84,
        _("The offline folder does not contain {detail}."),
        _("Create the folder again with 'make-offline-bundle' for this kind of computer, and copy all of it."),
    ),
    (
        "MODEL_UNKNOWN",
        85,
        _("There is no model named {model}; the closest names are {nearest}."),
        _("Correct the name. The command 'models list' lists all models."),
    ),
    (
        "MODEL_LICENSED",
        216,
        _("The weights of {model} need a licence from their publisher, so they are not downloaded."),
        _("If you hold a licence, get the weights from the publisher and add them as your own model: 'models add'."),
    ),
    (
        "MODEL_ORIENTATION_FIXED",
        101,
        _("The voxel order of this model is known, so it cannot be set to {orientation}."),
        _("Omit the voxel order; it is only needed for your own models whose image reader does not reorient images."),
    ),
    (
        "SETUP_DIED",
        86,
        _("The set-up stopped unexpectedly (exit status {status})."),
        _("Try again; what has been downloaded is kept."),
    ),
    (
        "TORCH_SERVER_NEEDED",
        116,
        _("The server {host} did not provide PyTorch for the CPU; elsewhere it comes with 2 GB of GPU libraries."),
        _(
            "Try again later, ask your IT department to allow {host}, or install from an offline folder. To accept the "
            "GPU libraries, enter a package index in the network settings."
        ),
    ),
    (
        "SETUP_CANCELLED",
        131,
        _("The set-up was cancelled."),
        _("You can start it again at any time; what has been downloaded is kept."),
    ),
)

SETUP_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "DOWNLOAD_FROM_START",
        _("The server {host} cannot resume downloads, so {file} is downloaded from the beginning."),
        _("No action is needed."),
    ),
    (
        "MIRROR_TRIED",
        _("The server {host} did not provide the file {file}, so the next server is tried."),
        _("No action is needed."),
    ),
    (
        "TORCH_WITH_GPU_LIBRARIES",
        _("PyTorch from {host} came with its GPU libraries, which take several GB on disk and are not used."),
        _("To save the space, remove the packages and install them from an offline folder."),
    ),
    (
        "GPU_UNUSABLE",
        _("The installed packages cannot use the GPU {device}, so the CPU will be used."),
        _("To use the GPU, update its driver and click Repair."),
    ),
    (
        "DRIVER_OLD",
        _("The graphics driver {driver} is too old ({needed} is required), so packages for the CPU are installed."),
        _("To use the GPU, update its driver and click Repair."),
    ),
    (
        "DIGEST_RECORDED",
        _("The publisher provides no checksum for {file}, so that of this download was recorded: SHA-256 {digest}."),
        _("No action is needed: a later download that differs will be refused."),
    ),
    (
        "MODEL_STILL_NEEDED",
        _("Without {model}, these installed models cannot run: {others}."),
        _("Before you use them, install it again; a segmentation in Slicer offers that by itself."),
    ),
    (
        "MODEL_SHARED",
        _("These models consist of the same files as {model} and were removed with it: {others}."),
        _("Install them again if you need them."),
    ),
)
