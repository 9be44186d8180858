/** The entries of the package: names as in `clada/NAME`, and their sources. */

/** The engine, and what measures models. Pages load them in pieces. */
export const core = { index: 'src/index.ts', calibrate: 'src/calibrate/index.ts' };
/** For pages it shares no chunks with the others: few pages want both, and what is in one piece compresses better. */
export const alone = { gguf: 'src/gguf.ts' };
/** Users of the public API, each a folder that imports `clada` as anyone does: nobody pays for one who does not import it. */
export const users = {
  ...Object.fromEntries(['grammar', 'chat', 'server', 'batch', 'ai-sdk', 'worker'].map((name) => [name, `src/${name}/index.ts`])),
  'worker-main': 'src/worker/worker-main.ts', // the script of the workers that clada/worker starts
};
