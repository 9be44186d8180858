declare const CLADA_VERSION: string | undefined;

/** Of package.json; scripts/build.ts writes it in. */
export const version = typeof CLADA_VERSION === 'string' ? CLADA_VERSION : 'development';
