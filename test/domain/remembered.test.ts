import { expect, it } from 'vitest';
import { remembered } from '../../src/domain/remembered.ts';

it('asks once for each text while it is remembered', () => {
  const asked: string[] = [];
  const length = remembered((text) => {
    asked.push(text);
    return text.length;
  }, 2);
  expect(['a', 'bb', 'a', 'bb'].map(length)).toEqual([1, 2, 1, 2]);
  expect(asked).toEqual(['a', 'bb']);
  // the third is one too many
  expect(['ccc', 'a'].map(length)).toEqual([3, 1]);
  expect(asked).toEqual(['a', 'bb', 'ccc', 'a']);
});
