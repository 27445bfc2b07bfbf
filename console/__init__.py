"""The command line and the console: they put `sync` and `widgets` together."""
