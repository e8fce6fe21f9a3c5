/** The API group of all kinds of Tokenwright. */
export const GROUP = 'tokenwright.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}` as const;
