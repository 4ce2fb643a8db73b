"""What nodes cost, as the user says: there are no prices of ours, which would be wrong somewhere, or soon."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.errors import ConfigError


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices of one node for one hour, by VM size in lower case.

    Args:
        currency: shown behind the sums.
        dedicated: of dedicated nodes.
        low_priority: of spot nodes.
    """

    currency: str = ""
    dedicated: dict[str, float] = msgspec.field(default_factory=dict)
    low_priority: dict[str, float] = msgspec.field(default_factory=dict)

    def cost(self, vm_size: str, *, dedicated_hours: float, low_priority_hours: float) -> float | None:
        """What node-hours cost.

        Args:
            vm_size: of the nodes.
            dedicated_hours: of dedicated nodes.
            low_priority_hours: of spot nodes.

        Returns:
            The sum; None if there is no price for some of them.
        """
        total = 0.0
        for prices, hours in ((self.dedicated, dedicated_hours), (self.low_priority, low_priority_hours)):
            price = {name.lower(): value for name, value in prices.items()}.get(vm_size.lower())
            if hours and price is None:
                return None
            total += hours * (price or 0.0)
        return total


def load_prices(path: Path) -> Prices:
    """Read a table of prices.

    Args:
        path: of a TOML file.

    Raises:
        ConfigError: it can't be read or is no such table.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Prices)
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror}", where=str(path)) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(str(error), where=str(path)) from error
