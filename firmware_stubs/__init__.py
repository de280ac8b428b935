"""Stand-ins for a robot's firmware modules: they push through the local interface, as firmware would.

They need only the standard library and none of our packages, so the agent cannot tell them from the vendor's.
"""
