import { describe, expect, it } from '@jest/globals';
import { deciderSpecification, projectionSpecification } from './given-when-then.js';

const door = deciderSpecification<
  boolean,
  'opened' | 'closed',
  'open',
  { readonly refused: string }
>({
  initial: false,
  evolve: (_, event) => event === 'opened',
  decide: (open) => (open ? { refused: 'open' } : ['opened']),
});

describe('the specification of a decider', () => {
  it('passes for the events that are decided, and for the refusal', () => {
    door.given('opened', 'closed').when('open').then(['opened']);
    door.given('opened').when('open').then({ refused: 'open' });
  });

  it('fails for other events, for none, and for another refusal', () => {
    expect(() => door.given().when('open').then(['closed'])).toThrow();
    expect(() => door.given().when('open').then([])).toThrow();
    expect(() => door.given('opened').when('open').then(['opened'])).toThrow();
    expect(() => door.given('opened').when('open').then({ refused: 'shut' })).toThrow();
  });
});

interface Delivered {
  readonly offset: number;
  readonly sum: number;
}
const after = (view: Delivered, { offset, sum }: Delivered): Delivered => ({
  offset,
  sum: view.sum + sum,
});

describe('the specification of a projection', () => {
  const events = [
    { offset: 1, sum: 5 },
    { offset: 2, sum: 7 },
  ];

  it('passes for one that ignores what it has already applied', () => {
    projectionSpecification<Delivered, Delivered>({
      initial: { offset: 0, sum: 0 },
      apply: (view, event) => (event.offset <= view.offset ? view : after(view, event)),
    })
      .given(...events)
      .then({ offset: 2, sum: 12 });
  });

  it('fails for one that applies a repeated event again', () => {
    const forgetful = projectionSpecification<Delivered, Delivered>({
      initial: { offset: 0, sum: 0 },
      apply: after,
    });
    expect(() => forgetful.given(...events).then({ offset: 2, sum: 12 })).toThrow();
  });

  it('fails for one that only ignores a repeat that follows at once', () => {
    const shortSighted = projectionSpecification<Delivered, Delivered>({
      initial: { offset: 0, sum: 0 },
      apply: (view, event) => (event.offset === view.offset ? view : after(view, event)),
    });
    expect(() => shortSighted.given(...events).then({ offset: 2, sum: 12 })).toThrow();
  });
});
