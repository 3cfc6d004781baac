import { expect } from '@jest/globals';

/** What a decider is: how things are at first, what an event changes, what a command leads to. */
export interface Decider<State, Event, Command, Refusal> {
  readonly initial: State;
  readonly evolve: (state: State, event: Event) => State;
  readonly decide: (state: State, command: Command) => readonly Event[] | Refusal;
}

export interface DeciderSpecification<Event, Command, Refusal> {
  /** The history, oldest first. */
  given: (...history: readonly Event[]) => {
    when: (command: Command) => {
      /**
       * The decision: the whole events, in order, or the refusal. `[]` says that the command succeeds
       * and changes nothing. Nothing is checked before this is called.
       */
      then: (expected: readonly Event[] | Refusal) => void;
    };
  };
}

/** `given(events).when(command).then(events | refusal)`. */
export function deciderSpecification<State, Event, Command, Refusal>(
  decider: Decider<State, Event, Command, Refusal>,
): DeciderSpecification<Event, Command, Refusal> {
  return {
    given: (...history) => ({
      when: (command) => ({
        then(expected) {
          const state = history.reduce(decider.evolve, decider.initial);
          expect(decider.decide(state, command)).toStrictEqual(expected);
        },
      }),
    }),
  };
}

/** What a projection is: how it looks at first, and what one delivered event makes of it. */
export interface Projection<View, Delivered> {
  readonly initial: View;
  readonly apply: (view: View, delivered: Delivered) => View;
}

export interface ProjectionSpecification<View, Delivered> {
  given: (...delivered: readonly Delivered[]) => { then: (expected: View) => void };
}

/**
 * `given(events).then(view)`, and always 'delivered twice' with it: the same view must come of each
 * event twice in a row, and of a reader that goes back to any place and reads on from there, as after
 * a crash.
 */
export function projectionSpecification<View, Delivered>(
  projection: Projection<View, Delivered>,
): ProjectionSpecification<View, Delivered> {
  const project = (delivered: readonly Delivered[]): View =>
    delivered.reduce(projection.apply, projection.initial);
  return {
    given: (...delivered) => ({
      then(expected) {
        expect(project(delivered)).toStrictEqual(expected);
        expect(project(delivered.flatMap((one) => [one, one]))).toStrictEqual(expected);
        for (let back = 0; back < delivered.length; back++) {
          expect(project([...delivered, ...delivered.slice(back)])).toStrictEqual(expected);
        }
      },
    }),
  };
}
