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
        _("The server {host} cannot be reached from this computer."),
        _("Check the network connection or the proxy's address and try again, or install from a folder."),
    ),
    (
        "NETWORK_NAME_NOT_FOUND",
        61,
        _("The address of the server {host} was not found."),
        _("Check the network connection, ask whether a proxy is needed, or install from a folder."),
    ),
    (
        "PROXY_PASSWORD_NEEDED",
        62,
        _("The proxy {host} asks for a user name and a password."),
        _("Set the proxy's address with name and password as the IT department gives them, or install from a folder."),
    ),
    (
        "CERTIFICATE_NOT_TRUSTED",
        63,
        _("The certificate of the server {host} is not trusted on this computer."),
        _(
            "If the hospital's network inspects connections, give its certificate file in the settings; "
            "otherwise install from a folder."
        ),
    ),
    (
        "CLOCK_WRONG",
        64,
        _("The certificate of the server {host} is not valid on this computer's date, {date}."),
        _("Set the computer's clock and try again."),
    ),
    (
        "DOWNLOAD_NOT_FOUND",
        65,
        _("The server {host} does not have the file {file} any more."),
        _("Update the extension, or get the file elsewhere and add it from a file."),
    ),
    (
        "DOWNLOAD_REFUSED",
        66,
        _("The server {host} refuses to give the file {file}."),
        _("Ask the IT department to allow this address, or get the file elsewhere and add it from a file."),
    ),
    (
        "DOWNLOAD_SERVER_FAILED",
        67,
        _("The server {host} answered with an error (status {status})."),
        _("Try again later; what has been downloaded is kept."),
    ),
    (
        "DOWNLOAD_CUT",
        68,
        _("The connection to {host} broke off again and again."),
        _("Try again; the download goes on where it stopped."),
    ),
    (
        "DOWNLOAD_WRONG_SIZE",
        69,
        _("The downloaded file {file} has {found} bytes; {expected} were expected."),
        _("Try again; if it happens again, the file was changed on its way, and another network may help."),
    ),
    (
        "DOWNLOAD_WRONG_DIGEST",
        70,
        _("The downloaded file {file} is not the published one: its SHA-256 digest differs."),
        _("Try again; if it happens again, do not use the file and tell the IT department."),
    ),
    (
        "MODEL_DIGEST_CHANGED",
        71,
        _("The archive {file} differs from the one that was installed here before."),
        _("Wait until its publisher confirms the change; then use models remove --forget-digest and install anew."),
    ),
    # -- archives ------------------------------------------------------------------------------------------------------
    (
        "ARCHIVE_DAMAGED",
        72,
        _("The file {file} is not a ZIP archive, or it is damaged."),
        _("Download it again, or choose another file."),
    ),
    (
        "ARCHIVE_TOO_LARGE",
        73,
        _("The archive {file} would unpack to more than {limit_gb:.1f} GB."),
        _("Do not use this file; get the model from its publisher again."),
    ),
    (
        "ARCHIVE_UNSAFE",
        74,
        _("The archive {file} holds an entry that does not belong into a model ({detail}) and was not unpacked."),
        _("Do not use this file; get the model from its publisher again."),
    ),
    # -- the disk ------------------------------------------------------------------------------------------------------
    (
        "FOLDER_NOT_WRITABLE",
        75,
        _("The folder for {purpose} cannot be written to."),
        _("Choose a folder that you may write to, in the set-up's settings."),
    ),
    (
        "FILE_LOCKED",
        76,
        _("Another program holds a file of the installation; an antivirus program is the usual one."),
        _("Wait a minute and try again; if it happens again, ask to exclude the folder of the installation."),
    ),
    (
        "SETUP_BUSY",
        77,
        _("Another Slicer is installing the same thing."),
        _("Wait until it has finished; then it is there for both."),
    ),
    # -- packages ------------------------------------------------------------------------------------------------------
    (
        "PYTHON_UNSUPPORTED",
        78,
        _("There are no engine packages for Python {version} on {platform}."),
        _("Use a Slicer of version 5.10 or later; on Apple silicon install Python 3.10 to 3.12 for arm64 as well."),
    ),
    (
        "PIP_MISSING",
        79,
        _("Python's installer pip is missing or cannot be started."),
        _("Install Slicer again, or choose another Python in the set-up's settings."),
    ),
    (
        "PACKAGE_NOT_FOUND",
        80,
        _("The package {package} was not found where packages are installed from."),
        _("Check the index addresses or the wheel folder in the set-up's settings and try again."),
    ),
    (
        "PACKAGE_INSTALL_FAILED",
        81,
        _("The engine's packages could not be installed ({detail})."),
        _("Try again; if it happens again, copy the diagnostics and report them."),
    ),
    (
        "PACKAGE_WRONG_DIGEST",
        82,
        _("A downloaded package is not the published one: its digest differs."),
        _("Try again; if it happens again, tell the IT department."),
    ),
    (
        "ENGINE_TEST_FAILED",
        83,
        _("The installed engine does not work on this computer: {detail}."),
        _("Choose Repair; if it happens again, copy the diagnostics and report them."),
    ),
    (
        "BUNDLE_INCOMPLETE",
        84,
        _("The offline folder lacks {detail}."),
        _("Make the folder again with make-offline-bundle for this kind of computer, and copy it whole."),
    ),
    (
        "MODEL_UNKNOWN",
        85,
        _("The catalogue has no model {model}; the known ones are {known}."),
        _("Correct the name; 'models list' shows them."),
    ),
    (
        "SETUP_DIED",
        86,
        _("The set-up ended unexpectedly (status {status})."),
        _("Try again; what has been downloaded is kept."),
    ),
    (
        "SETUP_CANCELLED",
        131,
        _("The set-up was cancelled."),
        _("Start it again at any time; what has been downloaded is kept."),
    ),
)

SETUP_WARNINGS: dict[str, ErrorDefinition] = warnings_table(
    __file__,
    (
        "DOWNLOAD_FROM_START",
        _("The server {host} cannot continue a download, so {file} is downloaded from its beginning."),
        _("Nothing needs to be done."),
    ),
    (
        "MIRROR_TRIED",
        _("The server {host} did not give the file {file}; the next one is tried."),
        _("Nothing needs to be done."),
    ),
    (
        "GPU_UNUSABLE",
        _("The graphics card {device} cannot compute with the installed packages, so the CPU will be used."),
        _("Update the graphics driver and choose Repair to use the card."),
    ),
    (
        "DRIVER_OLD",
        _(
            "The graphics driver {driver} is too old for any packages that use the card ({needed} "
            "is needed), so those for "
            "the CPU are installed."
        ),
        _("Update the graphics driver and choose Repair to use the card."),
    ),
    (
        "DIGEST_RECORDED",
        _("The publisher states no digest of {file}; the one found is remembered."),
        _("Nothing needs to be done: a later download that differs is refused."),
    ),
)
