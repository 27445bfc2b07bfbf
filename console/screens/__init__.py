"""The screens, a module each: what is shown and which keys act on it. What they show is the App's."""
