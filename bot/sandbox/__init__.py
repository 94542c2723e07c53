"""
Both platforms and a prospect, played on one page: ``leadbot demo``.

The stand-ins speak the real protocols over loopback to the unmodified product:
nothing outside this package knows that it exists. ``demo.start`` puts them up.
"""
