/** Every issuer, by name: one folder and one line each. test/issuers holds each to the same contract. */
import type { Issuer, Random } from '../ports.ts';
import { opaqueIssuer } from './opaque/opaque-issuer.ts';

export interface IssuerDependencies {
  random: Random;
}

export const issuers = {
  opaque: opaqueIssuer,
} satisfies Record<string, (dependencies: IssuerDependencies) => Issuer>;
