"""The registry: customers, contracts, sites and robots, from files and to files."""
