"""Settings for all tests."""

from hypothesis import settings

# A shared machine may stop for longer than any deadline for one example; pytest-timeout bounds a test.
settings.register_profile("gameday", deadline=None)
settings.load_profile("gameday")
