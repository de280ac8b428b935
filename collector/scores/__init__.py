"""Health scores: how well a robot, a site or a customer does, from 0 to 100, and what points were lost for.

A score is a composite indicator: components are measured over the last seven local days, put on a common
scale from 0 (worst) to 1 (best), and averaged with weights (OECD and JRC, Handbook on Constructing Composite
Indicators, 2008). What is decided here is pure; `scoring` reads the store and keeps what comes out.
"""
