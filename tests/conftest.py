"""Settings for all tests."""

from hypothesis import settings

# A shared machine may stand still for longer than the 200 ms that one example has by default.
# pytest-timeout bounds a test as a whole.
settings.register_profile("gameday", deadline=None)
settings.load_profile("gameday")
