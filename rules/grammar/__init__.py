"""The language of rules, part by part: measures, conditions, filters, time intervals, what suppresses."""
