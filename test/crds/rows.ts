/** What the tables of manifests are written with. */

export const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

export const record = (count: number, value: string): Record<string, string> =>
  Object.fromEntries(many(count, (index) => [`key-${index}`, value]));

/** A domain name of 253 characters, the most there is. */
export const domain253 = [...many(4, () => 'a'.repeat(62)), 'b'].join('.');

/** What the API server says of one value. */
export const invalid = (field: string, value: string, sentence: string): string =>
  `${field}: Invalid value: "${value}": ${sentence}`;

/** Of a list or map the API server shows no value, or only what type it is. */
export const invalidAll = (field: string, sentence: string): string => `${field}: Invalid value: ${sentence}`;
