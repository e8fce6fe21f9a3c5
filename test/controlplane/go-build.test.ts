import { expect, test } from 'vitest';
import { kubernetesGoMod } from '../../tools/controlplane/go-build.ts';
import { upstreamGoMod } from './sandbox.ts';

test('staging modules are replaced by their published form, and settings of the language are kept', () => {
  expect(kubernetesGoMod('v1.36.3', upstreamGoMod)).toBe(`module tokenwright.invalid/binaries
go 1.26.0
godebug default=go1.26
require k8s.io/kubernetes v1.36.3
replace k8s.io/api => k8s.io/api v0.36.3
replace k8s.io/client-go => k8s.io/client-go v0.36.3
`);
});

test('another version publishes its staging modules under another number', () => {
  expect(kubernetesGoMod('v1.34.4', upstreamGoMod)).toContain('k8s.io/api v0.34.4\n');
});

test('a go.mod of an unknown form is an error and no guess', () => {
  expect(() => kubernetesGoMod('v1.36.3', 'module k8s.io/kubernetes\n')).toThrow('replaces no staging modules');
});
