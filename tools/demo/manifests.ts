/** What the demo applies. */

/** Rotates every ten seconds, for the show. */
const TOKEN = (name: string, environment: string, lifetime: string) => `apiVersion: tokenwright.dev/v1alpha1
kind: ApiToken
metadata: {name: ${name}}
spec:
  subject: agent:${name}
  purpose: Summarise incoming support tickets
  environment: ${environment}
  audiences: [ai-gateway]
  scopes: ["chat:write"]
  secret: {name: ${name}-token}
  ${lifetime}
`;

export const AGENT = `${TOKEN('summarizer', 'production', 'ttl: 1m\n  rotation: {renewBefore: 50s, overlap: 6s}')}---
apiVersion: apps/v1
kind: Deployment
metadata: {name: summarizer}
spec:
  replicas: 2
  selector: {matchLabels: {app: summarizer}}
  template:
    metadata: {labels: {app: summarizer}}
    spec:
      automountServiceAccountToken: false
      containers:
        - name: agent
          image: registry.k8s.io/pause:3.10
          env:
            - name: AI_GATEWAY_TOKEN
              valueFrom: {secretKeyRef: {name: summarizer-token, key: token}}
`;

export const DEVELOPMENT = TOKEN('experiment', 'development', 'ttl: 1h');

/** From here on the token shall rotate no more by itself. */
export const STEADY = '{"spec":{"ttl":"1h","rotation":{"renewBefore":"50s"}}}';

/** Without a policy nothing is minted. */
export const policy = (namespace: string) => `apiVersion: tokenwright.dev/v1alpha1
kind: TokenPolicy
metadata: {name: ${namespace}}
spec:
  match: {namespaces: {matchLabels: {kubernetes.io/metadata.name: ${namespace}}}}
  bounds: {ttl: {max: 24h}}
`;

/** The provider's key stays with the gateway: agents never hold it. */
export const audience = (providerKey: string) => `apiVersion: v1
kind: Secret
metadata: {name: ai-provider}
stringData: {api-key: ${providerKey}}
---
apiVersion: tokenwright.dev/v1alpha1
kind: TokenAudience
metadata: {name: ai-gateway}
spec:
  environments: [production]
  routes: [{methods: [POST], path: /v1/chat/*, scopes: ["chat:write"]}]
  staleness: {max: 5s}
  upstream: {secretRef: {name: ai-provider, key: api-key}, header: authorization, value: Bearer $(key)}
`;
