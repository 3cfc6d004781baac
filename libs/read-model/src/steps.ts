/** The steps that a projector can die between, in order: a batch's, then a heartbeat's. */
export const PROJECTOR_STEPS = [
  'projector.received',
  'projector.loaded',
  'projector.folded',
  'projector.opened',
  // Within the transaction:
  'projector.offset-written',
  'projector.rows-written',
  // It is committed:
  'projector.stored',
  'projector.heartbeat-received',
  'projector.advanced',
] as const;
export type ProjectorStep = (typeof PROJECTOR_STEPS)[number];
