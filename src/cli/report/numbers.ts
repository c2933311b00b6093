import { count, percent } from "../progress.ts";

/** A number for a reader; a missing or broken number is named. */
export function shown(n: number): string {
  if (Number.isNaN(n)) return "not a number";
  if (!Number.isFinite(n)) return n > 0 ? "infinite" : "minus infinite";
  if (n !== 0 && (Math.abs(n) >= 1e6 || Math.abs(n) < 1e-3)) return n.toExponential(2);
  return String(Number(n.toPrecision(4)));
}

/** A score: a share of right answers as percent, R² as a number. */
export const scoreText = (score: number, isClasses: boolean): string =>
  isClasses && Number.isFinite(score) ? percent(score) : shown(score);

export const counted = (n: number): string => (Number.isFinite(n) ? count(n) : shown(n));

/** A count in few letters, for charts: 1,234 or 12.3 k or 4.56 M. */
export function brief(n: number): string {
  if (n < 10_000) return count(n);
  const [divisor, unit] = n < 1e6 ? [1e3, "k"] : n < 1e9 ? [1e6, "M"] : [1e9, "G"];
  return `${Number((n / divisor).toPrecision(3))} ${unit}`;
}

/** A share of a whole in percent, with 3 digits from 1 % on and 2 digits below. */
export function share(part: number, whole: number): string {
  const percents = (100 * part) / whole;
  return whole > 0 ? `${Number(percents.toPrecision(percents < 1 ? 2 : 3))} %` : "–";
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
