"""Everything that abreast does, without a user interface: sources, drift, plan, ledger, execution."""
