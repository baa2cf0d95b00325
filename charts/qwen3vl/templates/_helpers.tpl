{{- define "qwen3vl.namespaces" -}}
{{- $namespaces := .Values.watchNamespaces | default (list .Release.Namespace) -}}
{{- join "," $namespaces -}}
{{- end }}

{{/* Labels of everything. Takes `root` and `component`. Selectors use two of them, which may never change. */}}
{{- define "qwen3vl.labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: qwen3vl
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of a pod: the chart's, which win, and the values'. Takes `root`, `component` and `extra`. */}}
{{- define "qwen3vl.podLabels" -}}
{{- toYaml (merge (include "qwen3vl.labels" . | fromYaml) .extra) -}}
{{- end }}

{{/* Where a pod may run and how it is annotated: what operator and gateway have in common. Takes the part's values. */}}
{{- define "qwen3vl.podPlacement" -}}
{{- with .nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* `host[:port][/path]` before every image, without a slash at its end; empty when there is none. */}}
{{- define "qwen3vl.imageRegistry" -}}
{{- .Values.global.imageRegistry | default "" | trimSuffix "/" -}}
{{- end }}

{{/*
The image of a part: `root` and `part` (operator, server, vln). The first part of a repository is a registry where it
has a dot or a colon or is `localhost`, as everywhere; only that is replaced by global.imageRegistry.
*/}}
{{- define "qwen3vl.image" -}}
{{- if not (and (hasKey .root.Values "migration") (hasKey .root.Values.gateway.limits "maxBytesInFlight")) -}}
{{- fail "these values lack defaults of this chart, as with `helm upgrade --reuse-values` from the version before: use --reset-then-reuse-values" -}}
{{- end -}}
{{- $registry := include "qwen3vl.imageRegistry" .root -}}
{{- $image := (index .root.Values .part).image -}}
{{- $repository := $image.repository -}}
{{- if and (not $repository) (not $registry) -}}
{{- fail (printf "no image is named for %s: set global.imageRegistry to the registry that has qwen3vl/operator, qwen3vl/server and qwen3vl/vln, or %s.image.repository to where that image lies" .part .part) -}}
{{- end -}}
{{- $repository = $repository | default (printf "qwen3vl/%s" .part) -}}
{{- if $registry -}}
{{- $repository = printf "%s/%s" $registry (regexReplaceAll "^([^/]*[.:][^/]*|localhost)/" $repository "") -}}
{{- end -}}
{{- if $image.digest -}}
{{ $repository }}@{{ $image.digest }}
{{- else -}}
{{ $repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
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

{{/* A Role's binding to a ServiceAccount of the release. Takes `root`, `component`, `role`, `namespace`, `account`. */}}
{{- define "qwen3vl.roleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .role }}
  namespace: {{ .namespace }}
  labels: {{ include "qwen3vl.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .role }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}
