/**
 * Installs, upgrades and uninstalls on a real API server, and lets the operator work with the rights that it was given. A control
 * plane of its own, since CRDs, policies and cluster roles are there once. The steps follow each other.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { close, open } from './installation.ts';
import { byHelm, uninstalled } from './steps/helm.ts';
import { byKubectl } from './steps/kubectl.ts';
import { operatorAtItsEnd, operatorAtWork, whatItTold } from './steps/operator.ts';
import { badExamples, rights } from './steps/rights.ts';
import { verifiersOfProduction } from './steps/verifiers.ts';

beforeAll(open);
afterAll(close);

describe('kubectl', byKubectl);
describe('helm', byHelm);
describe("with the chart's arguments, environment and account", () => {
  operatorAtWork();
  describe('the verifiers of production', verifiersOfProduction);
  whatItTold();
  rights();
  operatorAtItsEnd();
});
badExamples();
describe('uninstalled by helm', uninstalled);
