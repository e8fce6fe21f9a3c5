{{- define "tokenwright.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "tokenwright.operator" -}}
{{ include "tokenwright.fullname" . }}-operator
{{- end }}

{{- define "tokenwright.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "tokenwright.operator" .) }}
{{- end }}

{{/* As the API server calls it; the admission policies know the operator by it. */}}
{{- define "tokenwright.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "tokenwright.serviceAccount" . }}
{{- end }}

{{- define "tokenwright.verifier" -}}
{{ include "tokenwright.fullname" . }}-verifier
{{- end }}

{{/* As the API server calls the verifiers. */}}
{{- define "tokenwright.verifierUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "tokenwright.verifier" . }}
{{- end }}

{{- define "tokenwright.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "tokenwright.labels" -}}
app.kubernetes.io/name: tokenwright
app.kubernetes.io/part-of: tokenwright
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tokenwright.operatorLabels" -}}
{{ include "tokenwright.labels" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "tokenwright.verifierLabels" -}}
{{ include "tokenwright.labels" . }}
app.kubernetes.io/component: verifier
{{- end }}

{{- define "tokenwright.operatorSelector" -}}
app.kubernetes.io/name: tokenwright
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{/* What a verifier of one environment is set up by: takes `root` and `environment`, gives YAML. */}}
{{- define "tokenwright.verifierSettings" -}}
{{- mergeOverwrite (deepCopy .root.Values.verifierDefaults) (deepCopy (get .root.Values.verifiers .environment)) | toYaml }}
{{- end }}

{{- define "tokenwright.verifierName" -}}
{{ include "tokenwright.verifier" .root }}-{{ .environment }}
{{- end }}

{{- define "tokenwright.verifierSelector" -}}
app.kubernetes.io/name: tokenwright
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: verifier
tokenwright.dev/environment: {{ .environment | quote }}
{{- end }}
