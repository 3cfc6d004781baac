import { describe, expect, it } from '@jest/globals';
import { faultOfText } from './plain-text.js';

describe('a text that people write', () => {
  it.each([
    ['one character', 'a'],
    ['a hundred characters', 'a'.repeat(100)],
    ['a hundred characters outside of the basic plane', '😀'.repeat(100)],
    ['words of several scripts', 'Bereitstellung – 本番 – نشر'],
    ['a space within', 'build server'],
    ['a mark that joins emoji', '👩‍👩‍👧'],
  ])('may be %s', (_, text) => {
    expect(faultOfText(text, 100)).toBeNull();
  });

  it.each([
    ['nothing', ''],
    ['101 characters', 'a'.repeat(101)],
    ['white space before', ' a'],
    ['white space after', 'a\u00a0'],
    ['only white space', ' '],
    ['a byte order mark before', '\ufeffa'],
    ['a null', 'a\u0000b'],
    ['a line break', 'a\nb'],
    ['a tab', 'a\tb'],
    ['an escape', 'a\u001b[31mb'],
    ['a C1 control', 'a\u0085b'],
    ['a line separator', 'a\u2028b'],
    ['a right-to-left override', 'a\u202eb'],
    ['an isolate', 'a\u2066b'],
    ['half a surrogate', 'a\ud83db'],
    ['the other half', '\ude00'],
  ])('may not be or hold %s', (_, text) => {
    expect(faultOfText(text, 100)).not.toBeNull();
  });

  it('may be as long in bytes as can be sealed, and no longer', () => {
    expect(faultOfText('語'.repeat(1000), 1000)).toBeNull();
    expect(faultOfText('😀'.repeat(1000), 1000)).toMatch(/3000 bytes/);
  });
});
