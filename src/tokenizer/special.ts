/** Tokens that are found by their text before anything else is done: user-defined ones always, control ones only where asked for. */
import { TokenType, type Vocab } from './vocab.ts';

export interface SpecialPart { text?: string; id?: number }

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

function finder(ids: Map<string, number>): (text: string) => SpecialPart[] {
  if (ids.size === 0) return (text) => [{ text }];
  // longest first: of two tokens that begin alike the longer one is meant
  const expression = new RegExp([...ids.keys()].sort((a, b) => b.length - a.length).map(escaped).join('|'), 'gu');
  return (text) => {
    const parts: SpecialPart[] = [];
    let end = 0;
    for (const { 0: match, index } of text.matchAll(expression)) {
      if (index > end) parts.push({ text: text.slice(end, index) });
      parts.push({ id: ids.get(match)! });
      end = index + match.length;
    }
    if (end < text.length) parts.push({ text: text.slice(end) });
    return parts;
  };
}

/** Cuts text at special tokens; `parseSpecial` adds the control tokens. */
export function specialSplitter(vocab: Vocab): (text: string, parseSpecial: boolean) => SpecialPart[] {
  const decoder = new TextDecoder();
  const always = new Map<string, number>(), all = new Map<string, number>();
  for (let id = 0; id < vocab.size; id++) {
    const type = vocab.types[id]!;
    if (type !== TokenType.userDefined && type !== TokenType.control && type !== TokenType.unknown) continue;
    const text = decoder.decode(vocab.bytesOf(id));
    if (text === '') continue;
    if (type === TokenType.userDefined) always.set(text, id);
    if (type !== TokenType.unknown) all.set(text, id);
  }
  const splitAlways = finder(always), splitAll = finder(all);
  return (text, parseSpecial) => (parseSpecial ? splitAll : splitAlways)(text);
}
