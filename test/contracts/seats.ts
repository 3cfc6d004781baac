import type { Decided, EventDraft, EventLog, Fold, Submission } from '@token-status/event-log';
import { newCommandId } from '@token-status/event-log';

/** A domain that is just large enough to race for: seats that one holder has at a time, and tallies. */
export interface Seat {
  readonly holder: string | null;
  readonly events: number;
}

export type SeatRefusal = 'taken' | 'not-yours';
export type SeatDecided = Decided<Seat, SeatRefusal>;

export const seats: Fold<Seat> = {
  name: 'seats',
  initial: { holder: null, events: 0 },
  evolve: (seat, event) => ({
    holder: event.type === 'SeatTaken' ? String(event.data.holder) : null,
    events: seat.events + 1,
  }),
};

export const tallies: Fold<number> = {
  name: 'tallies',
  initial: 0,
  evolve: (tally, event) => {
    if (event.data.value !== tally + 1) {
      throw new Error(`a tally went from ${tally} to ${String(event.data.value)}`);
    }
    return tally + 1;
  },
};

const draft = (type: string, tag: string, data: Record<string, unknown>): EventDraft => ({
  type,
  schemaVersion: 1,
  tags: [tag],
  data,
});

type Rest = Partial<Pick<Submission<Seat, SeatRefusal>, 'commandId' | 'key'>>;

/** Takes a seat; having it already changes nothing, and another's is refused. */
export const take = (
  log: EventLog,
  seat: string,
  holder: string,
  rest: Rest = {},
): Promise<SeatDecided> =>
  log.decideAndAppend<Seat, SeatRefusal>({
    commandId: newCommandId(),
    ...rest,
    tags: [`seat:${seat}`],
    fold: seats,
    decide: (state) => {
      if (state.holder === holder) return [];
      if (state.holder !== null) return { refused: 'taken' };
      return [draft('SeatTaken', `seat:${seat}`, { seat, holder })];
    },
  });

/** Leaves a seat; an empty one stays so. */
export const leave = (
  log: EventLog,
  seat: string,
  holder: string,
  rest: Rest = {},
): Promise<SeatDecided> =>
  log.decideAndAppend<Seat, SeatRefusal>({
    commandId: newCommandId(),
    ...rest,
    tags: [`seat:${seat}`],
    fold: seats,
    decide: (state) => {
      if (state.holder === null) return [];
      if (state.holder !== holder) return { refused: 'not-yours' };
      return [draft('SeatLeft', `seat:${seat}`, { seat, holder })];
    },
  });

/** Counts on by `times` events in one command: every such decision rests on the one before. */
export const count = (
  log: EventLog,
  tally: string,
  times = 1,
  padding = '',
): Promise<Decided<number, never>> =>
  log.decideAndAppend<number, never>({
    commandId: newCommandId(),
    tags: [`tally:${tally}`],
    fold: tallies,
    decide: (value) =>
      Array.from({ length: times }, (_, n) =>
        draft('Counted', `tally:${tally}`, { tally, value: value + n + 1, padding }),
      ),
  });
