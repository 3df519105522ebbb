"""What can go wrong in the demo, each as one line with its cure. Nothing else lives here."""


class DemoError(Exception):
    """The demo cannot go on; the text says what is wrong, the cure, and what to type next."""
