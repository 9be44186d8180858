/** Python's `strftime` in the C locale, for a time without a zone. */
import { unsupported } from './fault.ts';

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];

export function strftime(time: Date, format: string): string {
  const year = time.getFullYear(), month = time.getMonth(), day = time.getDate(), weekday = time.getDay(), hour = time.getHours();
  const dayOfYear = Math.round((Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000) + 1, hour12 = hour % 12 || 12;
  /** Number, digits, and what fills them. */
  const numbers: Readonly<Record<string, readonly [number, number, string?]>> = {
    Y: [year, 4], C: [Math.floor(year / 100), 2], y: [year % 100, 2], m: [month + 1, 2], d: [day, 2], e: [day, 2, ' '], j: [dayOfYear, 3],
    H: [hour, 2], I: [hour12, 2], k: [hour, 2, ' '], l: [hour12, 2, ' '], M: [time.getMinutes(), 2], S: [time.getSeconds(), 2],
    f: [time.getMilliseconds() * 1000, 6], w: [weekday, 1], u: [weekday || 7, 1],
    U: [Math.floor((dayOfYear + 6 - weekday) / 7), 2], W: [Math.floor((dayOfYear + 6 - ((weekday + 6) % 7)) / 7), 2],
  };
  const texts: Readonly<Record<string, string>> = {
    A: days[weekday]!, a: days[weekday]!.slice(0, 3), B: months[month]!, b: months[month]!.slice(0, 3), h: months[month]!.slice(0, 3),
    p: hour < 12 ? 'AM' : 'PM',
    n: '\n', t: '\t', z: '', Z: '', '%': '%',
  };
  const composed: Readonly<Record<string, string>> = {
    c: '%a %b %e %H:%M:%S %Y', x: '%m/%d/%y', X: '%H:%M:%S', D: '%m/%d/%y', F: '%Y-%m-%d', R: '%H:%M', T: '%H:%M:%S', r: '%I:%M:%S %p',
  };
  return format.replace(/%(-?)([\s\S]?)/g, (whole, minus: string, letter: string) => {
    const number = numbers[letter];
    if (number) return minus ? String(number[0]) : String(number[0]).padStart(number[1], number[2] ?? '0');
    const text = minus ? undefined : texts[letter] ?? (composed[letter] && strftime(time, composed[letter]));
    if (text === undefined) throw unsupported(`strftime's ${whole}`);
    return text;
  });
}
