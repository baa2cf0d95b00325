{{- define "qwen3vl.namespaces" -}}
{{- $namespaces := .Values.watchNamespaces | default (list .Release.Namespace) -}}
{{- join "," $namespaces -}}
{{- end }}

{{- define "qwen3vl.labels" -}}
app.kubernetes.io/part-of: qwen3vl
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "qwen3vl.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "qwen3vl.keysSecret" -}}
{{ .Values.gateway.keys.existingSecret | default "qwen3vl-keys" }}
{{- end }}

{{- define "qwen3vl.gatewayURL" -}}
http://qwen3vl-gateway.{{ .Release.Namespace }}{{ if ne (int .Values.gateway.service.port) 80 }}:{{ .Values.gateway.service.port }}{{ end }}
{{- end }}

{{- define "qwen3vl.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "qwen3vl.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
