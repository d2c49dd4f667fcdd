"""From a turned camera to a goal reached: record, judge, post-train, judge and reach again, in the simulator."""
