/** A number to so many digits behind the point; a dash where there is none. */
export const digits = (value: number | undefined, count: number): string => (value === undefined || !Number.isFinite(value) ? '–' : value.toFixed(count).replace('-', '−'));
export const percent = (share: number | undefined, count = 0): string => digits(share === undefined ? undefined : 100 * share, count);
/** Divergences span decades: two digits that matter, or more. */
export const nats = (value: number | undefined): string => (value === undefined || !Number.isFinite(value) ? '–' : value >= 1 ? value.toFixed(2) : value >= 0.01 ? value.toFixed(3) : value.toFixed(4));
