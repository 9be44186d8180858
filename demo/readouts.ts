/** The verdict on an answer, and its four figures, each beside what it is held against. */
import type { Answer } from './conversation.ts';
import { byId, digits, nats, percent } from './dom.ts';
import type { Ready } from './protocol.ts';
import type { Verdict } from './verdict.ts';

function set(id: string, text: string): void {
  const place = byId(id);
  place.textContent = text;
  place.classList.toggle('none', text === '–');
}

/** Text that did not change is not written again: it is a live region. */
export function showVerdict({ tone, sentence, beside }: Verdict): void {
  const place = byId('verdict');
  byId('result').dataset['tone'] = tone;
  if (place.textContent !== sentence) place.textContent = sentence;
  byId('verdict-beside').textContent = beside;
}

/** `dense`: tokens a second measured at load, until an answer brings a measurement of its own. */
export function showReadouts(answer: Answer | undefined, ready: Ready | undefined): void {
  const { comparison, expected, checked, method } = answer ?? {}, isDense = method === 'dense';
  const dense = comparison?.densePerSecond ?? ready?.densePerSecond;
  set('speed', digits(answer?.perSecond, 1));
  set('speed-beside', dense === undefined ? '' : comparison
    ? `in turns, ${comparison.tokens} tokens: ${digits(comparison.sparsePerSecond, 1)}, dense ${digits(dense, 1)} (×\u00a0${digits(comparison.sparsePerSecond / dense, 2)})`
    : `dense ${digits(dense, 1)} at load, on this device`);
  const steps = answer?.tokens.filter(({ weightBytes }) => Number.isFinite(weightBytes)) ?? [];
  const bytes = steps.reduce((sum, { weightBytes }) => sum + weightBytes, 0) / steps.length, all = ready?.info.weightBytesPerToken;
  set('used', steps.length > 0 ? percent(steps.reduce((sum, { density }) => sum + density, 0) / steps.length) : '–');
  set('used-beside', all === undefined ? '' : steps.length > 0 ? `feed-forward; ${digits(bytes / 1e6, 1)} of ${digits(all / 1e6, 1)} MB read a token` : `dense reads ${digits(all / 1e6, 1)} MB a token`);
  const here = comparison ? { ...comparison, count: comparison.tokens } : checked && checked.checks > 0 ? { ...checked, klError: NaN, count: checked.checks } : undefined;
  set('kl', isDense ? '0' : nats(here?.kl ?? expected?.kl));
  set('top1', isDense ? '100' : percent(here?.top1 ?? expected?.top1));
  const error = here && Number.isFinite(here.klError) ? `± ${nats(here.klError)} ` : '';
  set('kl-beside', isDense || !answer ? '' : [here ? `${error}here, ${here.count} tokens` : '', expected ? `calibration ${nats(expected.kl)}` : method ? 'not calibrated' : ''].filter(Boolean).join('; '));
  set('top1-beside', isDense || !answer ? '' : [here ? `here, ${here.count} tokens` : '', expected ? `calibration ${percent(expected.top1)} %` : ''].filter(Boolean).join('; '));
  byId('note').textContent = (answer?.warnings ?? []).join(' ');
}
