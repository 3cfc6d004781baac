import { describe, expect, it } from '@jest/globals';
import { etagOf, expectedVersionOf } from './etag.js';

describe('If-Match', () => {
  it.each([
    ['nothing', undefined, undefined],
    ['any', '*', undefined],
    ['a version', '"3"', 3],
    ['a version with space around', ' "3" ', 3],
    ['the entity tag that we answered', etagOf(17), 17],
  ])('asks for %s', (_, header, version) => {
    expect(expectedVersionOf(header)).toBe(version);
  });

  it.each([
    ['a weak tag', 'W/"3"'],
    ['another kind of tag', '"abc"'],
    ['an empty tag', '""'],
    ['zero', '"0"'],
    ['a version with a zero before', '"03"'],
    ['a fraction', '"1.5"'],
  ])('matches no version where it asks for %s', (_, header) => {
    expect(expectedVersionOf(header)).toBe(0);
  });

  it.each(['3', '"3', '', '"1", "2"', 'w/"3"', '"a"b"', '** '])('is malformed as %j', (header) => {
    expect(() => expectedVersionOf(header)).toThrow(expect.objectContaining({ status: 400 }));
  });
});
