"""Random schedules of the register's models, for register_past.py and register_lost.py."""
import time

import register_sim


def failures(profiles, start, count):
    """Runs every profile; how many seeds failed."""
    bad = 0
    for profile in profiles:
        began, found = time.time(), []
        for seed in range(start, start + count):
            problem, _ = register_sim.check(seed, profile)
            if problem:
                found.append((seed, problem))
        bad += len(found)
        print(f'{profile:10} {count} seeds {time.time() - began:6.0f} s  {len(found)} failed {found[:4]}', flush=True)
    return bad
