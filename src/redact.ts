/**
 * What may be shown of text that can hold an address: the one place that decides it. Every error and every address in progress passes
 * through here.
 */

/** User, password and fragment go, of a query the values; what is left still tells which file of which server is meant. */
function shownUrl(scheme: string, rest: string): string {
  const [, authority = '', path = '', query = ''] = /^([^/?#]*)([^?#]*)(\?[^#]*)?/.exec(rest)!;
  const names = query.slice(1).split('&').map((pair) => (pair.includes('=') ? `${pair.slice(0, pair.indexOf('='))}=…` : '…'));
  return `${scheme}${authority.slice(authority.lastIndexOf('@') + 1)}${path}${query.length > 1 ? `?${names.join('&')}` : ''}`;
}

/** `text` without credentials: those in addresses, tokens of the hub, and what follows Bearer or Basic. */
export function redacted(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)([^\s"'<>`]+)/gi, (_, scheme: string, rest: string) => shownUrl(scheme, rest))
    .replace(/\bhf_\w{8,}/g, 'hf_…').replace(/\b(Bearer|Basic) [\w.~+/=-]+/g, '$1 …');
}
