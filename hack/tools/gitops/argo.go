package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/gitops-engine/pkg/utils/tracing"
	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/go-logr/logr"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Argo CD's names: its field manager, and the annotation by which it tracks what it applied (the default since v3).
const (
	argoManager  = "argocd-controller"
	argoTracking = "argocd.argoproj.io/tracking-id"
)

// argoDiff compares as Argo CD does: by the last applied annotation (client), by field managers (structured, with the
// sync option ServerSideApply), or by a dry run (server, with the compare option ServerSideDiff).
func argoDiff(ctx context.Context, chosen *options, objects []*unstructured.Unstructured) (any, error) {
	config, cluster, err := chosen.connect(objects)
	if err != nil {
		return nil, err
	}
	comparing, done, err := chosen.comparing(config)
	if err != nil {
		return nil, err
	}
	defer done()
	told := make([]drift, 0, len(objects))
	for _, object := range objects {
		track(chosen.app, object)
		live, err := get(ctx, cluster, object)
		if err != nil {
			return nil, err
		}
		found, err := diff.Diff(object, live, comparing...)
		if err != nil {
			return nil, err
		}
		one, err := compared(object, live, found)
		if err != nil {
			return nil, err
		}
		told = append(told, one)
	}
	return told, nil
}

// argoApply applies as a sync of Argo CD does: kubectl's apply, on the client's side in mode client (the default), else
// on the server's side (with the sync option ServerSideApply).
func argoApply(ctx context.Context, chosen *options, objects []*unstructured.Unstructured) (any, error) {
	config, _, err := chosen.connect(objects)
	if err != nil {
		return nil, err
	}
	kubectl := newKubectl()
	resources, _, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return nil, err
	}
	operations, done, err := kubectl.ManageResources(config, resources)
	if err != nil {
		return nil, err
	}
	defer done()
	told := make([]drift, 0, len(objects))
	for _, object := range objects {
		track(chosen.app, object)
		said, err := operations.ApplyResource(
			ctx, object, cmdutil.DryRunNone, false, true, chosen.mode != "client", argoManager,
		)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", utils.FmtUnstructured(object), err)
		}
		told = append(told, drift{Object: utils.FmtUnstructured(object), Action: said})
	}
	return told, nil
}

func compared(object, live *unstructured.Unstructured, found *diff.DiffResult) (drift, error) {
	name := utils.FmtUnstructured(object)
	switch {
	case live == nil:
		return drift{Object: name, Action: "Missing"}, nil
	case !found.Modified:
		return drift{Object: name, Action: "Synced"}, nil
	}
	changes, err := jsonpatch.CreateMergePatch(found.NormalizedLive, found.PredictedLive)
	return drift{name, "OutOfSync", json.RawMessage(changes)}, err
}

func (chosen *options) comparing(config *rest.Config) ([]diff.Option, func(), error) {
	common := []diff.Option{diff.WithLogr(logr.Discard()), diff.WithManager(argoManager)}
	if chosen.mode == "client" {
		return common, func() {}, nil
	}
	kubectl := newKubectl()
	resources, parser, err := kubectl.LoadOpenAPISchema(config)
	if err != nil {
		return nil, nil, err
	}
	common = append(common, diff.WithGVKParser(parser))
	switch chosen.mode {
	case "structured":
		return append(common, diff.WithStructuredMergeDiff(true)), func() {}, nil
	case "server":
		applier, done, err := kube.ManageServerSideDiffDryRuns(
			config, resources, kubectl.Tracer, kubectl.Log, kubectl.OnKubectlRun,
		)
		if err != nil {
			return nil, nil, err
		}
		runner := diff.NewK8sServerSideDryRunner(applier)
		return append(common, diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(runner)), done, nil
	}
	return nil, nil, fmt.Errorf("--mode %s is none of client, structured, server", chosen.mode)
}

func newKubectl() *kube.KubectlCmd {
	return &kube.KubectlCmd{
		Log:          logr.Discard(),
		Tracer:       tracing.NopTracer{},
		OnKubectlRun: func(string) (kube.CleanupFunc, error) { return func() {}, nil },
	}
}

// track sets the annotation with which Argo CD marks what it applied.
func track(app string, object *unstructured.Unstructured) {
	kind := object.GroupVersionKind()
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[argoTracking] = fmt.Sprintf(
		"%s:%s/%s:%s/%s", app, kind.Group, kind.Kind, object.GetNamespace(), object.GetName(),
	)
	object.SetAnnotations(annotations)
}

func get(ctx context.Context, cluster client.Client, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err := cluster.Get(ctx, client.ObjectKeyFromObject(object), live)
	if errors.IsNotFound(err) {
		return nil, nil
	}
	return live, err
}
