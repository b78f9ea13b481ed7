"""What moved to `convostore.testing.dialects`."""

from convostore.testing.dialects import incoming, seeding, serving

__all__ = ["incoming", "seeding", "serving"]
