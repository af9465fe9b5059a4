#!/usr/bin/env python3
"""The register protocol as Sources/VortexCore/Register/Proposal.swift and Sources/VortexCluster/Register/Coordinator.swift
have it, where they differ from ../shared/model/register_model.py, which this file imports and changes in two places.

1. A value names not one change that it was made on (`over`) but as many of the last as it likes, each with its base:
   production those of the last minute, at most 64, here any number. A retry that finds its own change among them knows
   that it took effect; one that finds a change made on something older than what it sent (its base is below f) knows
   that it did not, however many others have followed.
2. A change is in doubt only once an owner may have accepted it: where every owner that was asked has said that it did
   not and will not, the attempt left nothing behind, and giving up is 'failed', not 'unknown'. A reject says so only
   where nothing at or above that ballot is accepted: it may be the answer to a second copy of the message.

  register_past.py --seeds N [--start N] [--profile P]   random schedules, every profile, all rules on
  register_past.py --traces                              the schedules of register_traces.py, each rule on and off
  register_past.py --mutations --seeds N                 the rules of this file left out, one at a time, until caught
  register_past.py --profile P --seed N --trace          replays one
"""
import argparse, sys
from pathlib import Path

MODEL = next(p / 'shared/model' for p in Path(__file__).resolve().parents if (p / 'shared/model').is_dir())
sys.path.insert(0, str(MODEL))

import register_model, register_sim, register_traces, runs  # noqa: E402
from register_model import Value  # noqa: E402

DEPTH = 8                                          # production: RegisterValue.overMax; of these as many as the ballot says
RULES = {
    'past_over': 'our change among those of the past: it took effect',
    'past_base': 'a past change on something older than what we sent: it did not',
    'past_whole': 'as many changes are looked at as bases: none may be skipped',
    'past_kept': 'writing a value back keeps its past',
    'doubt_silent': 'an owner that has not answered may have accepted',
    'doubt_copy': 'a reject by an owner that has something as high may be that of a second copy',
    'doubt_accepted': '... and so has one that did, where there was no quorum of them',
}
# Leaving these out is allowed: they tell outcomes that would be unknown without them.
USEFUL = ('past_base', 'past_kept')


def past(value):
    return ((value.version, value.base),) + value.over if value else ()


class Sim(register_sim.Sim):
    """`told` counts how often a retry learned something from the past that the page's rule does not know."""
    told = 0

    def outcome(self, op, value, seen, first):
        """Proposal.onPromises: 'inEffect', 'unknown' or 'compute'."""
        if value and value.version == op.id:
            return 'inEffect'
        if first is None:
            return 'compute'
        over = value.over if value else ()
        if not self.on('past_whole'):
            over = over[:1]
        if any(change == op.id for change, _ in over) and self.on('past_over') and self.on('retry'):
            Sim.told += not over[0][0] == op.id
            return 'inEffect'
        if seen < first or not self.on('retry'):
            return 'compute'
        bases = [base for _, base in past(value)]
        if any(b < first for b in (bases if self.on('past_base') else bases[:1])):
            Sim.told += bases[0] >= first
            return 'compute'
        return 'unknown'

    def handle(self, n, epoch, kind, args):
        answer = super().handle(n, epoch, kind, args)
        if kind == 'accept' and answer[0] == 'reject':     # LocalOwner.begin: AcceptAnswer.reject(_, isFirst:)
            row = n.rows.get(args[0])
            answer += ((row.accepted if row else n.horizon) < args[1],)
        return answer

    def accepts(self, lay, key, b, value):
        """Coordinator.gatherAccepts: (accepted, may take effect)."""
        targets = self.members(lay)

        def done(replies):
            good = [n for n, r in replies.items() if r[0] == 'accepted']
            return self.quorum(lay, good) or len(replies) == len(targets) or \
                (len(good) < len(replies) and self.rng.random() < .3)
        replies = yield (targets, lay.epoch, 'accept', (key, b, value), done)
        good = [n for n, r in replies.items() if r[0] == 'accepted']
        silent = len(replies) < len(targets) and self.on('doubt_silent')
        copy = any(r[0] == 'reject' and not r[2] for r in replies.values()) and self.on('doubt_copy')
        return self.quorum(lay, good), silent or copy or bool(good) and self.on('doubt_accepted')

    def change(self, node, key, op=None, force=False):
        first, doubt = None, False
        for attempt in range(4 if self.faults else 99):
            if attempt and not self.faults:
                yield ((), 0, 'back off', (), None)
            lay = self.layouts[node.epoch]
            b = self.ballot(node)
            got = yield from self.ask(lay, 'prepare', (key, b), 'promise')
            if got is None:
                continue
            top = max(got.values(), key=lambda r: r[1]) if self.on('highest') else next(iter(got.values()))
            value, settled = top[2], self.agreed(lay, got) == top[1]
            seen = top[1] if value else max(r[3] for r in got.values())
            state = value.version if value and value.live else None
            new, bury = value, False
            found = self.outcome(op, value, seen, first) if op else 'compute'
            if found == 'unknown':
                return 'unknown'
            if found == 'inEffect':
                answer = 'ok'
            elif op is None:
                answer = state
            else:
                after, answer = op.apply(state)
                if answer == 'ok' and not (op.kind == 'delete' and state is None):
                    new = Value(op.id, after is not None, seen, past(value)[:1 + b[0] % DEPTH])
                elif first and self.on('bury'):
                    bury = True
                    if new is None:
                        return 'unknown'
            own = new is not None and op is not None and new.version == op.id
            if not own and (new is None or settled or not self.on('write_back' if op is None else 'settle_412')) \
                    and not (force and new) and not bury:
                return answer
            if own and settled and new is value:
                return answer
            if own:
                first = first or b
            elif not self.on('past_kept'):
                new = new._replace(over=())
            lay2 = lay if self.on('one_epoch') else self.layouts[node.epoch]
            self.log(f'n{node.id} e{lay2.epoch} sends accept k{key} {b} {new} for {op}')
            accepted, may = yield from self.accepts(lay2, key, b, new)
            doubt = doubt or own and may
            if accepted:
                return answer
        return 'unknown' if doubt else 'failed'


register_sim.Sim = register_traces.Sim = Sim


def traces():
    """Every schedule of register_traces.py: harmless with its rule, bad without."""
    bad = []
    for name in register_traces.TRACES:
        on, off = register_traces.run(name, ())[0], register_traces.run(name, name.split('_and_'))[0]
        if on or not off:
            bad.append(name)
            print(f'{name:26} with the rule: {on or "fine":8} without: {off or "NOT CAUGHT"}')
    print(f'{len(register_traces.TRACES)} schedules, {len(bad)} not as they should be')
    return len(bad)


def seeds(profiles, start, count):
    bad = runs.failures(profiles, start, count)
    print(f'a retry learned from the past {Sim.told} times; {bad} failed')
    return bad


def mutations(count, start):
    missed = 0
    names = list(register_sim.PROFILES)
    for rule, text in RULES.items():
        problem = None
        for i in range(0 if rule in USEFUL else count * len(names)):
            profile, seed = names[i % len(names)], start + i // len(names)
            problem, _ = register_sim.check(seed, profile, [rule])
            if problem:
                break
        where = f'caught: {profile} {seed}, {problem}' if problem else \
            'may be left out: more outcomes are unknown' if rule in USEFUL else 'NOT CAUGHT'
        missed += not problem and rule not in USEFUL
        print(f'{rule:16} {text:76} {where}', flush=True)
    return missed


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--profile', choices=register_sim.PROFILES)
    for name in ('--seeds', '--start', '--seed'):
        a.add_argument(name, type=int)
    a.add_argument('--off', default='')
    for name in ('--traces', '--mutations', '--trace'):
        a.add_argument(name, action='store_true')
    a = a.parse_args()
    off = [r for r in a.off.split(',') if r]
    assert not set(off) - set(RULES) - set(register_model.RULES), off
    profiles = [a.profile] if a.profile else list(register_sim.PROFILES)
    if a.seed is not None:
        problem, sim = register_sim.check(a.seed, profiles[0], off, a.trace)
        register_sim.show(sim)
        print(problem or 'fine')
        return bool(problem)
    if a.traces:
        return traces() > 0
    if a.mutations:
        return mutations(a.seeds or 500, a.start or 0) > 0
    return seeds(profiles, a.start or 0, a.seeds or 200) > 0


if __name__ == '__main__':
    sys.exit(main())
