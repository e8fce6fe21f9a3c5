{{/* What the schema would refuse with a regular expression is refused here with a sentence that says what to do. */}}
{{- define "tokenwright.validate" -}}
{{- range $name := list "leaseDuration" "settleAfter" "minHealInterval" }}
{{- $value := get $.Values.operator $name }}
{{- if not (regexMatch "^([0-9]{1,5}[hms]){1,4}$" $value) }}
{{- fail (printf "operator.%s: write a duration in whole hours, minutes and seconds, such as 90s or 2m, not %q" $name $value) }}
{{- end }}
{{- end }}
{{- range .Values.operator.watchNamespaces }}
{{- if or (gt (len .) 63) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" .)) }}
{{- fail (printf "operator.watchNamespaces: name namespaces in lower-case letters, digits and hyphens, at most 63, not %q" .) }}
{{- end }}
{{- end }}
{{- include "tokenwright.validateProcess" (dict "path" "operator" "settings" .Values.operator) }}
{{- range $environment, $_ := .Values.verifiers }}
{{- include "tokenwright.validateVerifier" (dict "root" $ "environment" $environment) }}
{{- end }}
{{- if eq .Values.upstreams.namespace .Release.Namespace }}
{{- fail (printf "upstreams.namespace: choose another namespace than %s, whose Secrets no verifier may read" .Release.Namespace) }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.name: name the account to use, or let serviceAccount.create be true" }}
{{- end }}
{{- end }}

{{- define "tokenwright.validateProcess" -}}
{{- if not (regexMatch "^(-|/.*[^/])$" .settings.auditLog) }}
{{- fail (printf "%s.auditLog: write - for stdout, or the absolute path of a file on a volume, not %q" .path .settings.auditLog) }}
{{- end }}
{{- range .settings.extraEnv }}
{{- if has .name (list "POD_NAME" "POD_NAMESPACE" "NODE_OPTIONS") }}
{{- fail (printf "%s.extraEnv: leave out %s, which the chart sets itself (NODE_OPTIONS: %s.nodeOptions)" $.path .name $.path) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tokenwright.validateVerifier" -}}
{{- $path := printf "verifiers.%s" .environment }}
{{- $settings := include "tokenwright.verifierSettings" . | fromYaml }}
{{- $name := include "tokenwright.verifierName" . }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]{0,22}[a-z0-9])?$" .environment) }}
{{- fail (printf "verifiers: name environments as ApiTokens do, in at most 24 lower-case letters, digits and hyphens, not %q" .environment) }}
{{- end }}
{{- if gt (len $name) 63 }}
{{- fail (printf "fullnameOverride: shorten it, since the Service %s may have 63 characters at most" $name) }}
{{- end }}
{{- if and $settings.tls.enabled (not $settings.tls.secretName) }}
{{- fail (printf "%s.tls.secretName: name the Secret that holds the certificate (tls.crt, tls.key), or set tls.enabled to false for a mesh that encrypts" $path) }}
{{- end }}
{{- if and $settings.rateLimitStore (not (regexMatch "^rediss?://[^@]+$" $settings.rateLimitStore)) }}
{{- fail (printf "%s.rateLimitStore: write a URL such as rediss://valkey:6379; one with a password belongs in a Secret, from which extraEnv takes TOKENWRIGHT_RATE_LIMIT_STORE" $path) }}
{{- end }}
{{- if not (regexMatch "^(all|denials|sampled:([2-9]|[1-9][0-9]{1,5}))$" $settings.auditLevel) }}
{{- fail (printf "%s.auditLevel: write all, denials, or sampled:N with N from 2, not %q" $path $settings.auditLevel) }}
{{- end }}
{{- range $settings.trustedProxies }}
{{- if not (regexMatch "^[0-9a-fA-F:.]+/[0-9]{1,3}$" .) }}
{{- fail (printf "%s.trustedProxies: write CIDRs such as 10.0.0.0/8 or fd00::/8, not %q" $path .) }}
{{- end }}
{{- end }}
{{- $ports := list (int $settings.port) (int $settings.grpcPort) (int $settings.metricsPort) }}
{{- if lt (len (uniq $ports)) 3 }}
{{- fail (printf "%s: choose different numbers for port, grpcPort and metricsPort" $path) }}
{{- end }}
{{- if and $settings.networkPolicy.enabled (not $settings.networkPolicy.from) }}
{{- fail (printf "%s.networkPolicy.from: say where the gateways are, since an empty list would let in everybody" $path) }}
{{- end }}
{{- include "tokenwright.validateProcess" (dict "path" $path "settings" $settings) }}
{{- end }}
