{{/* The chart's name, cut to what a label takes. */}}
{{- define "modelpipeline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
The name of most objects: a release whose name begins the chart's name (modelpipeline) or holds it does not say it twice.
Cut so that the longest suffix that a template appends still fits.
*/}}
{{- define "modelpipeline.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else if hasPrefix (printf "%s-" .Release.Name) $name -}}
{{- $name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "modelpipeline.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "modelpipeline.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* What finds the operator's pod; never changes during the life of a release. */}}
{{- define "modelpipeline.selectorLabels" -}}
app.kubernetes.io/name: {{ include "modelpipeline.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of every object, as a map in YAML: the caller's own (second in the list) over commonLabels, ours over both. */}}
{{- define "modelpipeline.labels" -}}
{{- $root := index . 0 -}}
{{- $ours := dict
  "app.kubernetes.io/name" (include "modelpipeline.name" $root)
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "modelpipeline"
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
-}}
{{- $own := dict -}}
{{- if gt (len .) 1 -}}{{- $own = index . 1 | default dict -}}{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy $root.Values.commonLabels) (deepCopy $own) $ours) -}}
{{- end -}}

{{/* The line `annotations:` and commonAnnotations with the caller's own over them; nothing when there are none. */}}
{{- define "modelpipeline.annotations" -}}
{{- $root := index . 0 -}}
{{- $own := dict -}}
{{- if gt (len .) 1 -}}{{- $own = index . 1 | default dict -}}{{- end -}}
{{- with mergeOverwrite (deepCopy $root.Values.commonAnnotations) (deepCopy $own) -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* An image by digest, else by tag, else by the chart's appVersion. */}}
{{- define "modelpipeline.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (printf "v%s" ($root.Chart.AppVersion | replace "+" "_")) $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The operator's settings as variables, one line each; lists and maps as JSON, or names with commas between them. */}}
{{- define "modelpipeline.variables" -}}
{{- $config := .Values.config -}}
{{- $limits := .Values.limits -}}
MODELPIPELINE_BUILD_IMAGE: {{ include "modelpipeline.image" (list . .Values.buildImage) | quote }}
MODELPIPELINE_LOG_FORMAT: {{ $config.logFormat | quote }}
MODELPIPELINE_LOG_LEVEL: {{ $config.logLevel | quote }}
MODELPIPELINE_RESYNC_SECONDS: {{ $config.resyncSeconds | quote }}
MODELPIPELINE_SETTLE_SECONDS: {{ $config.settleSeconds | quote }}
MODELPIPELINE_STRICT_JOB_STATUS: {{ $config.strictJobStatus | quote }}
MODELPIPELINE_WORKERS: {{ $config.workers | quote }}
{{- with $config.registries }}
MODELPIPELINE_REGISTRIES: {{ toJson . | quote }}
{{- end }}
{{- with $config.proxy }}
MODELPIPELINE_PROXY: {{ toJson . | quote }}
{{- end }}
{{- with .Values.watchNamespaces }}
MODELPIPELINE_NAMESPACES: {{ join "," . | quote }}
{{- end }}
{{- with $limits.imagePrefixes }}
MODELPIPELINE_IMAGE_PREFIXES: {{ join "," . | quote }}
{{- end }}
{{- with $limits.resources }}
MODELPIPELINE_RESOURCE_CEILINGS: {{ toJson . | quote }}
{{- end }}
{{- with $limits.storage }}
MODELPIPELINE_STORAGE_CEILING: {{ . | quote }}
{{- end }}
{{- if not (kindIs "invalid" $limits.replicas) }}
MODELPIPELINE_REPLICAS_CEILING: {{ int $limits.replicas | quote }}
{{- end }}
MODELPIPELINE_REFUSED_NAMESPACES: {{ append $limits.refusedNamespaces .Release.Namespace | uniq | join "," | quote }}
{{- end -}}

{{/*
Whether to render an object of a kind that others install: "true", or nothing. Takes the context, the block of values
with enabled and renderMode, group/version, kind.
*/}}
{{- define "modelpipeline.rendersForeign" -}}
{{- $root := index . 0 -}}
{{- $block := index . 1 -}}
{{- $api := index . 2 -}}
{{- $kind := index . 3 -}}
{{- if $block.enabled -}}
{{- $known := $root.Capabilities.APIVersions.Has (printf "%s/%s" $api $kind) -}}
{{- if or $known (eq $block.renderMode "alwaysRender") -}}
true
{{- else if eq $block.renderMode "failIfMissing" -}}
{{- fail (printf "this cluster knows no %s of %s; install its CustomResourceDefinition first, or set renderMode to skipIfMissing" $kind $api) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Namespaces in which the pods that build get a NetworkPolicy. */}}
{{- define "modelpipeline.pipelineNamespaces" -}}
{{- toYaml (default .Values.watchNamespaces .Values.networkPolicy.pipelineNamespaces | uniq) -}}
{{- end -}}

{{/* A namespace where pipelines may be. */}}
{{- define "modelpipeline.somePipelineNamespace" -}}
{{- first .Values.watchNamespaces | default "default" -}}
{{- end -}}

{{/*
Namespace of the pipeline that `helm test` asks for. Restricted tenancy refuses the release's own; otherwise nothing of
the test lies outside of it.
*/}}
{{- define "modelpipeline.testNamespace" -}}
{{- $own := eq .Values.tenancy "Trusted" | ternary .Release.Namespace (include "modelpipeline.somePipelineNamespace" .) -}}
{{- .Values.tests.namespace | default (first .Values.watchNamespaces) | default $own -}}
{{- end -}}

{{/* What every scrape has, for ServiceMonitor and PodMonitor. */}}
{{- define "modelpipeline.endpoint" -}}
port: metrics
path: /metrics
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
honorLabels: {{ .honorLabels }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A service account's token with authority and namespace, as a volume's source: what automounting would give. */}}
{{- define "modelpipeline.token" -}}
projected:
  defaultMode: 0444
  sources:
  - serviceAccountToken:
      path: token
      expirationSeconds: 3607
  - configMap:
      name: kube-root-ca.crt
      items:
      - key: ca.crt
        path: ca.crt
  - downwardAPI:
      items:
      - path: namespace
        fieldRef:
          apiVersion: v1
          fieldPath: metadata.namespace
{{- end -}}
