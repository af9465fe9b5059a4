#!/usr/bin/env python3
"""Going on without a node that is lost for ever, as Sources/VortexCore/Ring/MemberChange.swift has it.

../shared/model kills a node only where a majority of every set that it is in is left. This file lets one of two owners
go as well: the other one has accepted all that was ever chosen, for the two were the only majority, so the change that
takes the lost one's place goes on with it alone (`witnesses`). So does a change that was under way: another joint epoch
may drop a lost node from `previous` where those that are left meet every majority of it.

  register_lost.py --seeds N [--start N] [--profile P]   random schedules of small clusters that lose nodes
  register_lost.py --mutations --seeds N                 the rule left out, until caught
  register_lost.py --profile P --seed N --trace          replays one
"""
import argparse, sys
from pathlib import Path

MODEL = next(p / 'shared/model' for p in Path(__file__).resolve().parents if (p / 'shared/model').is_dir())
sys.path.insert(0, str(MODEL))

import register_sim, runs  # noqa: E402
from register_model import majority  # noqa: E402

RULES = {'lost_witness': 'those that are left meet every majority of the previous owners'}
register_sim.PROFILES.update({
    'pair': dict(loss=.05, dup=.05, hold=.25, crash=.004, kill=.006, timeout=.05, purge=.03, repair=.03, layout=.05,
                 deletes=.35, start=2, sizes=(2, 2, 3), nodes=8),
    'triple': dict(loss=.05, dup=.05, hold=.25, crash=.004, kill=.006, timeout=.05, purge=.03, repair=.03, layout=.05,
                   deletes=.35, start=3, sizes=(2, 3, 3), nodes=9),
    'joining': dict(loss=.05, dup=.05, hold=.25, parked=.3, crash=.004, kill=.008, timeout=.04, purge=.03, repair=.03,
                    layout=.08, gossip=.03, start=1, sizes=(1, 2, 3), nodes=9),
})


class Sim(register_sim.Sim):
    dropped = 0

    def witnesses(self, previous, but=None):
        left = tuple(n for n in previous if n != but and not self.nodes[n].dead)
        if majority(previous, left):
            return previous
        lost = [n for n in previous if n not in left]
        return left if not majority(previous, lost) or not self.on('lost_witness') else ()

    def may_kill(self, n):
        cur = self.layouts[self.top]
        return n.id < 90 and all(not group or self.witnesses(group, but=n.id) for group in (cur.owners, cur.previous))

    def keep(self, previous):
        kept = self.witnesses(previous)
        Sim.dropped += kept != previous
        return kept

    def pick_owners(self, cur):
        picked = super().pick_owners(cur)
        return picked or tuple(n for n in self.nodes if n < 90 and not self.nodes[n].dead)[:1]

    def layout_step(self):
        cur, x = self.layouts[self.top], self.rng.random()
        if self.top > 14:
            x = .9
        if not cur.previous:
            if x < .8:
                self.publish(self.pick_owners(cur), self.keep(cur.owners))
        elif self.ready(cur) and x < .8:
            self.publish(cur.owners, ())
        elif x < .12:
            self.publish(self.keep(cur.previous), ())                                # fall back
        elif x < .4:
            self.publish(self.pick_owners(cur), self.keep(cur.previous))             # another J

    def run(self):
        for _ in range(self.p['steps']):
            self.step()
        cur = self.layouts[self.top]
        if any(self.nodes[n].dead for n in cur.owners + cur.previous):
            self.publish(self.pick_owners(cur), self.keep(cur.previous or cur.owners))
        self.p = dict(self.p, steps=0)
        super().run()


register_sim.Sim = Sim
OURS = ('pair', 'triple', 'joining')


def seeds(profiles, start, count):
    bad = runs.failures(profiles, start, count)
    print(f'a lost node was dropped from the previous owners {Sim.dropped} times; {bad} failed')
    return bad


def mutations(count, start):
    missed = 0
    for rule, text in RULES.items():
        problem = None
        for i in range(count * len(OURS)):
            profile, seed = OURS[i % len(OURS)], start + i // len(OURS)
            problem, _ = register_sim.check(seed, profile, [rule])
            if problem:
                break
        missed += not problem
        print(f'{rule:16} {text:76} ' + (f'caught: {profile} {seed}, {problem}' if problem else 'NOT CAUGHT'), flush=True)
    return missed


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--profile', choices=OURS)
    for name in ('--seeds', '--start', '--seed'):
        a.add_argument(name, type=int)
    a.add_argument('--off', default='')
    for name in ('--mutations', '--trace'):
        a.add_argument(name, action='store_true')
    a = a.parse_args()
    if a.seed is not None:
        problem, sim = register_sim.check(a.seed, a.profile or OURS[0], [r for r in a.off.split(',') if r], a.trace)
        register_sim.show(sim)
        print(problem or 'fine')
        return bool(problem)
    if a.mutations:
        return mutations(a.seeds or 500, a.start or 0) > 0
    return seeds([a.profile] if a.profile else OURS, a.start or 0, a.seeds or 200) > 0


if __name__ == '__main__':
    sys.exit(main())
