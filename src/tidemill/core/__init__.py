"""What things are: records, rules, limits, ports, errors, time. No I/O, no vendor but Ibis and Arrow."""
