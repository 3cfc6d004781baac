import { describe, expect, it } from '@jest/globals';
import { readProbe } from '@token-status/contracts';
import type { Heartbeat, Probe } from '@token-status/contracts';
import { FreshnessProof } from './freshness.js';

const EPOCH = 'e'.repeat(32);
const START = Date.UTC(2026, 0, 1);

/** A gateway and a relay with a clock each, which the test moves. */
function given(options: { epoch?: string; maxStalenessMs?: number } = {}) {
  const time = { monotonic: 1000, wall: START, relay: START };
  const pass = (ms: number): void => {
    time.monotonic += ms;
    time.wall += ms;
    time.relay += ms;
  };
  const proof = new FreshnessProof({
    gatewayId: 'gw-1',
    epoch: options.epoch ?? null,
    maxStalenessMs: options.maxStalenessMs ?? 5000,
    maxClockErrorMs: 500,
    clocks: { monotonic: () => time.monotonic, wall: () => time.wall },
  });
  const heartbeat = (position: number, echoes: Probe[], epoch = EPOCH): Heartbeat => ({
    epoch,
    at: new Date(time.relay).toISOString(),
    position,
    offsets: {},
    echoes,
  });
  return { time, pass, proof, heartbeat };
}

describe('the proof of freshness', () => {
  it('is starting, and says what it waits for, until something has been proven', () => {
    const { proof, heartbeat, pass } = given();
    expect(proof.judge()).toMatchObject({ state: 'starting', why: 'no heartbeat has come yet' });
    proof.hear(heartbeat(0, []), 0);
    expect(proof.judge()).toMatchObject({ state: 'starting', why: /none echoes/ });
    const probe = proof.probe();
    pass(10);
    proof.hear(heartbeat(5, [probe]), 4);
    expect(proof.judge()).toMatchObject({ state: 'starting', why: 'the history is being read' });
    proof.reach(5);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 10 });
  });

  it('sends a new unguessable nonce in every probe', () => {
    const { proof } = given();
    const probes = Array.from({ length: 100 }, () => proof.probe());
    expect(new Set(probes.map(({ nonce }) => nonce)).size).toBe(100);
    for (const probe of probes) {
      expect(readProbe(JSON.stringify(probe))).toEqual(probe);
      expect(Buffer.from(probe.nonce, 'base64url').length * 8).toBeGreaterThanOrEqual(128);
    }
  });

  it('counts its age from when the echoed probe was sent, not from when the heartbeat came', () => {
    const { proof, heartbeat, pass } = given();
    const probe = proof.probe();
    pass(700);
    proof.hear(heartbeat(0, [probe]), 0);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 700 });
  });

  it('is fresh up to the bound, and stale past it', () => {
    const { proof, heartbeat, pass } = given();
    proof.hear(heartbeat(0, [proof.probe()]), 0);
    pass(5000);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 5000 });
    pass(1);
    expect(proof.judge()).toMatchObject({ state: 'stale', ageMs: 5001 });
  });

  it('goes stale while heartbeats come that echo nothing of ours', () => {
    const { proof, heartbeat, pass } = given();
    const probe = proof.probe();
    proof.hear(heartbeat(0, [probe]), 0);
    for (let i = 0; i < 30; i++) {
      pass(250);
      proof.probe();
      proof.hear(heartbeat(0, [{ gateway: 'gw-2', nonce: 'x'.repeat(24) }]), 0);
    }
    expect(proof.judge()).toMatchObject({ state: 'stale', ageMs: 7500 });
  });

  it('is not renewed by an old echo, repeated in new heartbeats', () => {
    const { proof, heartbeat, pass } = given();
    const probe = proof.probe();
    for (let i = 0; i < 30; i++) {
      proof.hear(heartbeat(0, [probe]), 0);
      pass(250);
    }
    expect(proof.judge()).toMatchObject({ state: 'stale' });
  });

  it('does not take another gateway’s nonce, nor its own nonce under another name, for proof', () => {
    const { proof, heartbeat } = given();
    const { nonce } = proof.probe();
    proof.hear(heartbeat(0, [{ gateway: 'gw-2', nonce }]), 0);
    proof.hear(heartbeat(0, [{ gateway: 'gw-1', nonce: 'y'.repeat(24) }]), 0);
    expect(proof.judge().state).toBe('starting');
  });

  it('stays unproven while the watermark is behind the heartbeat’s position', () => {
    const { proof, heartbeat, pass } = given();
    proof.hear(heartbeat(10, [proof.probe()]), 10);
    for (let i = 1; i <= 24; i++) {
      pass(250);
      proof.hear(heartbeat(10 + i, [proof.probe()]), 10);
    }
    expect(proof.judge()).toMatchObject({ state: 'stale', ageMs: 6000 });
    // Reading on proves, step by step, what the heartbeats had claimed.
    proof.reach(30);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 1000 });
    proof.reach(34);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 0 });
  });

  it('takes an echo of an earlier probe, and never goes back to it from a newer one', () => {
    const { proof, heartbeat, pass } = given();
    const first = proof.probe();
    pass(100);
    const second = proof.probe();
    pass(100);
    proof.hear(heartbeat(0, [first]), 0);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 200 });
    proof.hear(heartbeat(0, [second]), 0);
    proof.hear(heartbeat(0, [first]), 0);
    expect(proof.judge()).toEqual({ state: 'fresh', ageMs: 100 });
  });

  it('remembers a bounded number of probes and heartbeats', () => {
    const { proof, heartbeat } = given();
    const first = proof.probe();
    for (let i = 0; i < 5000; i++) proof.probe();
    proof.hear(heartbeat(0, [first]), 0);
    expect(proof.judge().state).toBe('starting');
    // Without time passing, more claims than fit: the nearest are the ones that are kept.
    const probes = Array.from({ length: 3000 }, () => proof.probe());
    probes.forEach((probe, i) => proof.hear(heartbeat(i + 1, [probe]), 0));
    proof.reach(1);
    expect(proof.judge().state).toBe('fresh');
  });

  it('adopts the first log that it sees, and is stale for good when another shows', () => {
    const { proof, heartbeat } = given();
    proof.hear(heartbeat(0, [proof.probe()]), 0);
    expect(proof.epoch).toBe(EPOCH);
    proof.hear(heartbeat(0, [proof.probe()], 'f'.repeat(32)), 0);
    expect(proof.judge()).toMatchObject({ state: 'stale', why: /another log/ });
    proof.hear(heartbeat(0, [proof.probe()]), 0);
    expect(proof.judge()).toMatchObject({ state: 'stale', why: /another log/ });
  });

  it('takes nothing from a log that is not the configured one', () => {
    const { proof, heartbeat } = given({ epoch: EPOCH });
    expect(proof.accepts(EPOCH)).toBe(true);
    proof.hear(heartbeat(0, [proof.probe()], 'f'.repeat(32)), 0);
    expect(proof.judge().state).toBe('stale');
    expect(proof.newestPosition).toBeNull();
  });

  it('never becomes fresh again once its reading is broken', () => {
    const { proof, heartbeat } = given();
    proof.fail('an event names no token');
    proof.hear(heartbeat(0, [proof.probe()]), 0);
    expect(proof.judge()).toMatchObject({ state: 'stale', why: 'an event names no token' });
  });

  describe('bounds the clocks’ difference', () => {
    it.each([
      [0, 'fresh'],
      [500, 'fresh'],
      [-500, 'fresh'],
      [520, 'stale'],
      [-520, 'stale'],
      [3_600_000, 'stale'],
      [-3_600_000, 'stale'],
    ])('relay ahead by %d ms, exchanged within 10 ms: %s', (ahead, state) => {
      const { proof, heartbeat, pass, time } = given();
      time.relay += ahead;
      const probe = proof.probe();
      pass(5);
      const beat = heartbeat(0, [probe]);
      pass(5);
      proof.hear(beat, 0);
      expect(proof.judge().state).toBe(state);
      expect(proof.clockOffset()).toEqual({ leastMs: ahead - 5, mostMs: ahead + 5 });
    });

    it('is stale only when it is certain: a slow exchange leaves room', () => {
      const { proof, heartbeat, pass, time } = given();
      time.relay += 1500;
      const probe = proof.probe();
      const beat = heartbeat(0, [probe]);
      pass(1200);
      proof.hear(beat, 0);
      expect(proof.judge().state).toBe('fresh');
    });

    it('sees a step of its own wall clock at once, and trusts it again when it is set right', () => {
      const { proof, heartbeat, time } = given();
      proof.hear(heartbeat(0, [proof.probe()]), 0);
      time.wall += 2000;
      expect(proof.judge()).toMatchObject({ state: 'stale', why: /clock/ });
      time.wall -= 2000;
      expect(proof.judge().state).toBe('fresh');
    });

    it('is stale after a sleep, through which the monotonic clock stood still', () => {
      const { proof, heartbeat, time } = given();
      proof.hear(heartbeat(0, [proof.probe()]), 0);
      time.wall += 60_000;
      time.relay += 60_000;
      expect(proof.judge().state).toBe('stale');
      proof.hear(heartbeat(0, [proof.probe()]), 0);
      expect(proof.judge().state).toBe('fresh');
    });

    it('is fresh again after the next exchange once the relay’s clock is right', () => {
      const { proof, heartbeat, time } = given();
      time.relay += 10_000;
      proof.hear(heartbeat(0, [proof.probe()]), 0);
      expect(proof.judge().state).toBe('stale');
      time.relay -= 10_000;
      proof.hear(heartbeat(0, [proof.probe()]), 0);
      expect(proof.judge().state).toBe('fresh');
    });
  });
});
