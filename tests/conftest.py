"""What every test may count on, whoever runs them."""

import signal

# A shell that starts the tests in the background has them ignore Ctrl-C, and some of them are about it.
signal.signal(signal.SIGINT, signal.default_int_handler)
