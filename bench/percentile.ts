/** The smallest sample that `share` (0 to 1) of all samples do not exceed; NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The sample in the middle. */
export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}
