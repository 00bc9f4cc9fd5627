"""A local Bitrix24 portal on loopback, for demos and for tests of DAGs.

::

    with Emulator() as portal:
        requests.post(portal.webhook_url + "user.current")

It imports nothing of the provider, and the provider imports nothing of it:
one misreading of the server cannot hide in both.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_b24.emulator.emulator import Emulator

__all__ = ["Emulator"]


def __getattr__(name: str) -> object:
    # Lazy, so that importing the package costs nothing where no portal is started.
    if name == "Emulator":
        from airflow_provider_b24.emulator.emulator import Emulator

        return Emulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
