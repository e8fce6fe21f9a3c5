import { expect, it } from 'vitest';
import { explain, Failure } from '../../src/cli/failure.ts';
import { KubeError, type KubeErrorReason } from '../../src/ports.ts';

const where = { server: 'https://cluster', namespace: 'support' };

// biome-ignore format: a table
it.each<[KubeErrorReason, number, string, string]>([
  ['Unavailable', 0, 'list apitokens: no answer (ECONNREFUSED)', 'https://cluster does not answer (list apitokens: no answer (ECONNREFUSED)). Is the cluster up? Choose another by --context or --kubeconfig.'],
  ['Unauthorized', 401, 'list apitokens: 401 Unauthorized', 'https://cluster does not accept your credentials (list apitokens: 401 Unauthorized). Log in again, or choose others by --context.'],
  ['NotFound', 404, 'list apitokens: 404 NotFound', 'https://cluster serves no such kind (list apitokens: 404 NotFound). Install Tokenwright there: kubectl apply -k deploy/'],
  ['Forbidden', 403, 'x: User "u" cannot list resource "apitokens" in the namespace "support"', 'x: User "u" cannot list resource "apitokens" in the namespace "support". Ask for a RoleBinding to the ClusterRole "view" in the namespace support.'],
  ['Forbidden', 403, 'x: User "u" cannot patch resource "apitokens" in the namespace "support"', 'x: User "u" cannot patch resource "apitokens" in the namespace "support". Ask for a RoleBinding to the ClusterRole "edit" in the namespace support.'],
  ['Forbidden', 403, 'x: User "u" cannot create resource "tokenrevocations" in the namespace "support"', 'x: User "u" cannot create resource "tokenrevocations" in the namespace "support". Ask for a RoleBinding to the ClusterRole "admin" in the namespace support.'],
  ['Forbidden', 403, 'x: User "u" cannot list resource "apitokens" at the cluster scope', 'x: User "u" cannot list resource "apitokens" at the cluster scope. Leave out --all-namespaces, or ask for a ClusterRoleBinding.'],
  ['Forbidden', 403, 'a policy says no', 'a policy says no'],
  ['Invalid', 422, 'choose another', 'choose another'],
  ['Unavailable', 503, 'later', 'later'],
])('%s (%i) says what to do', (reason, status, message, expected) => {
  const told = explain(new KubeError({ reason, status, transient: status === 0 || status === 503, message }), where);
  expect(told).toBeInstanceOf(Failure);
  expect(told).toMatchObject({ message: expected, exitCode: 1 });
});

it('leaves other errors as they are', () => {
  const error = new TypeError('a bug');
  expect(explain(error, where)).toBe(error);
});
