"""The spool: what a service acknowledged, from the call that logged it to the turn that takes it in."""
