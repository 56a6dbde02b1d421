"""Real peers of the gateway on loopback, started, observed and stopped by tests and the demo.

Every part promises the same: it listens on 127.0.0.1 only, keeps its files below the folder it is given, waits on conditions
with a deadline (`wait.wait_until`), and leaves no process behind after `stop()`.
"""
