"""What `scripts/benchmark.py` measures: functions per section, which yield cases as they are done."""
