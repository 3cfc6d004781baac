/** One figure beside its floor, from the same run (`api.md`): `ratio` is value ÷ floor. */
export interface Figure {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly floor: number | null;
  /** What `ratio` must be, as a person reads it: '≥ 4' or '≤ 1.5'; null where nothing was promised. */
  readonly target: string | null;
}

const ratioOf = ({ value, floor }: Figure): number | null =>
  floor === null ? null : value / floor;

/** Whether the promise is kept; null where there is none. */
function kept(figure: Figure): boolean | null {
  const [, sign, bound] = /^([≥≤]) ([\d.]+)$/.exec(figure.target ?? '') ?? [];
  const ratio = ratioOf(figure);
  if (ratio === null || sign === undefined) return null;
  return sign === '≥' ? ratio >= Number(bound) : ratio <= Number(bound);
}

/** A table for people, or with `--json` one object a line for programs. */
export function report(name: string, figures: readonly Figure[], json: boolean): void {
  if (json) {
    for (const figure of figures) {
      console.log(JSON.stringify({ ...figure, ratio: ratioOf(figure) }));
    }
    return;
  }
  const rows = figures.map((figure) => {
    const ratio = ratioOf(figure);
    const verdict = kept(figure);
    return [
      figure.metric,
      `${round(figure.value)} ${figure.unit}`,
      figure.floor === null ? '' : `${round(figure.floor)} ${figure.unit}`,
      ratio === null ? '' : ratio.toFixed(2),
      figure.target ?? '',
      verdict === null ? '' : verdict ? 'kept' : 'MISSED',
    ];
  });
  const head = ['metric', 'value', 'floor', 'ratio', 'target', ''];
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('   ')
      .trimEnd();
  console.log(`\n${name}`);
  console.log(line(head));
  for (const row of rows) console.log(line(row));
}

const round = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

/** The p-th percentile (0 to 1) of values; nearest rank. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)] ?? NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);
