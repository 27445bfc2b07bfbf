"""The commands that need no screen, one module each; results go to stdout, prompts and progress to stderr."""
