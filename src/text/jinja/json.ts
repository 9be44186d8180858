/** `tojson` as transformers defines it: Python's `json.dumps`, nothing escaped for HTML, non-ASCII as it is unless asked for. */
import { plain } from './marks.ts';
import { mistake } from './fault.ts';
import type { Args, Value } from './values.ts';
import { compare } from './operators.ts';
import { Dict, floatText, Markup, None, sequence, str, Tuple, typeName } from './values.ts';

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t',
};
const unicode = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

export function toJson(value: Value, args: Args): string {
  const names = ['ensure_ascii', 'indent', 'separators', 'sort_keys'];
  const [ascii = false, indent = None, separators = None, sorted = false] = args.take('tojson', ...names);
  const step = indent === None ? undefined : typeof indent === 'string' ? indent : ' '.repeat(Math.min(100, Math.max(0, Number(indent))));
  const [between, colon] = separators === None ? [step === undefined ? ', ' : ',', ': '] : (sequence(separators) ?? []).map(str);
  if (between === undefined || colon === undefined) throw mistake('tojson wants separators (between items, behind a key)');

  const text = (content: string): string => {
    const escaped = Array.from(content, (c) => {
      const seen = plain(c);
      if (shortEscapes[seen]) return shortEscapes[seen];
      if (seen < ' ') return unicode(seen);
      return ascii && seen > '~' ? seen.split('').map(unicode).join('') : c;
    });
    return `"${escaped.join('')}"`;
  };
  const scalar = (content: Value): string | undefined => {
    if (content === None) return 'null';
    if (typeof content === 'boolean') return content ? 'true' : 'false';
    if (typeof content === 'number') return Number.isFinite(content) ? floatText(content) : String(content);
    return typeof content === 'bigint' ? String(content) : undefined;
  };
  const nested = (open: string, items: readonly string[], close: string, depth: number): string => {
    if (items.length === 0 || step === undefined) return open + items.join(between) + close;
    const inner = `\n${step.repeat(depth + 1)}`;
    return open + inner + items.join(between + inner) + `\n${step.repeat(depth)}` + close;
  };
  const dump = (content: Value, depth: number): string => {
    const simple = scalar(content);
    if (simple !== undefined) return simple;
    if (typeof content === 'string') return text(content);
    if (content instanceof Markup) return text(content.text);
    if (Array.isArray(content) || content instanceof Tuple) {
      return nested('[', sequence(content)!.map((item) => dump(item, depth + 1)), ']', depth);
    }
    if (content instanceof Dict) {
      const entries = sorted ? content.entries.toSorted(([a], [b]) => compare(a, b)) : content.entries;
      const nameOf = (key: Value): string => (typeof key === 'string' ? key : scalar(key) ?? badKey(key));
      return nested('{', entries.map(([key, item]) => text(nameOf(key)) + colon + dump(item, depth + 1)), '}', depth);
    }
    throw mistake(`Object of type ${typeName(content)} is not JSON serializable`);
  };
  return dump(value, 0);
}

function badKey(key: Value): never {
  throw mistake(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}
