/** Downloads through a proxy: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in capitals or not, as curl and npm read them. */
import { InputError } from 'clada';
import { isRemote } from '../net/address.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** True where something of the command line lies on the network and a proxy is named. */
function isNeeded(values: object, env: Env): boolean {
  return Object.values(values).some(isRemote) && ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].some((name) => env[name]);
}

/**
 * Makes `fetch` ask the proxy. Node's own fetch knows of none before its version 24 (undici's does, and is one); Deno's and Bun's do.
 * @throws InputError `E_USAGE` for an address that no proxy can have
 */
export async function useProxy(values: object, env: Env): Promise<void> {
  if (!isNeeded(values, env) || process.versions['deno'] !== undefined || process.versions['bun'] !== undefined) return;
  for (const name of ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY']) {
    const address = env[name];
    if (!address || (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol))) continue;
    throw new InputError('E_USAGE', { subject: name, found: address, expected: 'http://HOST:PORT', remedy: 'Correct or unset it; NO_PROXY names hosts that are asked directly.' });
  }
  const library = await import('undici'), { EnvHttpProxyAgent, fetch } = (library as unknown as { default: typeof library }).default; // CommonJS, bundled
  const dispatcher = new EnvHttpProxyAgent({ proxyTunnel: false }); // http as curl asks for it (proxies refuse tunnels to port 80), https through a tunnel
  globalThis.fetch = ((input: string | URL, init?: object) => fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;
}
