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
{{- if not (regexMatch "^(-|/.*[^/])$" .Values.operator.auditLog) }}
{{- fail (printf "operator.auditLog: write - for stdout, or the absolute path of a file on a volume, not %q" .Values.operator.auditLog) }}
{{- end }}
{{- range .Values.operator.extraEnv }}
{{- if has .name (list "POD_NAME" "POD_NAMESPACE" "NODE_OPTIONS") }}
{{- fail (printf "operator.extraEnv: leave out %s, which the chart sets itself (NODE_OPTIONS: operator.nodeOptions)" .name) }}
{{- end }}
{{- end }}
{{- if eq .Values.upstreams.namespace .Release.Namespace }}
{{- fail (printf "upstreams.namespace: choose another namespace than %s, whose Secrets no verifier may read" .Release.Namespace) }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.name: name the account to use, or let serviceAccount.create be true" }}
{{- end }}
{{- end }}
