"""The stand-in CloudStack: a server in a process of its own, held to recordings of real ones."""
