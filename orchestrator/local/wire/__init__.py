"""What every HTTP endpoint of the local service shares: signatures, bodies, filters, errors."""
