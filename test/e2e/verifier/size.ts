/** The full numbers of a test, or small ones that show the same. */
export const isLong = process.env.TOKENWRIGHT_LONG === '1';
