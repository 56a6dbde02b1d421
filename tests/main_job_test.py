#!/usr/bin/env python3
"""main_job_test.py BUILD_DIR: runs the main job once and holds its figures against what the product promises."""
import json
import pathlib
import subprocess
import sys

PROMISES = [
    ("at least 600 instances were sent", lambda f: f["instances_sent"] >= 600),
    ("each was delivered", lambda f: f["instances_delivered"] == f["instances_sent"]),
    ("each is identical", lambda f: f["identical"] == f["instances_sent"]),
    ("none is there twice", lambda f: f["duplicates"] == 0),
    ("none is lost", lambda f: f["lost"] == 0),
    ("the daemon was killed three times", lambda f: f["kills"] >= 3),
    ("the link was cut for 20 s", lambda f: f["outage_s"] >= 20),
    ("an order came back to the worklist", lambda f: f["orders_on_worklist"] >= 1),
]


def main():
    script = pathlib.Path(__file__).with_name("integration") / "run.sh"
    last = ""
    with subprocess.Popen([script, sys.argv[1], "--once"], stdout=subprocess.PIPE, text=True) as job:
        for line in job.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    try:
        figures = json.loads(last)
    except json.JSONDecodeError:
        figures = {}
    broken = [promise for promise, holds in PROMISES if not figures or not holds(figures)]
    for promise in broken:
        print(f"FAIL: {promise}")
    if job.returncode:
        print(f"FAIL: main_job.py ended with {job.returncode}")
    return 1 if broken or job.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
