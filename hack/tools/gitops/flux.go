package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

type runtimeObject = runtime.Object

// Flux's kustomize-controller names itself so, as field manager and in the labels that it tracks objects by.
const (
	fluxManager = "kustomize-controller"
	fluxGroup   = "kustomize.toolkit.fluxcd.io"
)

// computed is what kstatus says of one object.
type computed struct {
	Object  string `json:"object"`
	Status  string `json:"status"`
	Message string `json:"message"`
}

// drift is what a tool would change in one object, as a JSON merge patch on the live one.
type drift struct {
	Object  string          `json:"object"`
	Action  string          `json:"action"`
	Changes json.RawMessage `json:"changes,omitempty"`
}

func kstatus(_ context.Context, _ *options, objects []*unstructured.Unstructured) (any, error) {
	told := make([]computed, 0, len(objects))
	for _, object := range objects {
		result, err := status.Compute(object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", utils.FmtUnstructured(object), err)
		}
		told = append(told, computed{utils.FmtUnstructured(object), result.Status.String(), result.Message})
	}
	return told, nil
}

func fluxDiff(ctx context.Context, chosen *options, objects []*unstructured.Unstructured) (any, error) {
	manager, err := chosen.fluxManager(objects)
	if err != nil {
		return nil, err
	}
	told := make([]drift, 0, len(objects))
	for _, object := range objects {
		entry, live, merged, err := manager.Diff(ctx, object, ssa.DefaultDiffOptions())
		if err != nil {
			return nil, err
		}
		changes, err := between(live, merged)
		if err != nil {
			return nil, err
		}
		told = append(told, drift{entry.Subject, string(entry.Action), changes})
	}
	return told, nil
}

func fluxApply(ctx context.Context, chosen *options, objects []*unstructured.Unstructured) (any, error) {
	manager, err := chosen.fluxManager(objects)
	if err != nil {
		return nil, err
	}
	applying := ssa.DefaultApplyOptions()
	applying.Cleanup = cleanup()
	changes, err := manager.ApplyAllStaged(ctx, objects, applying)
	if err != nil {
		return nil, err
	}
	if chosen.wait {
		waiting := ssa.WaitOptions{Interval: 200 * time.Millisecond, Timeout: time.Duration(chosen.timeout) * time.Second}
		if err := manager.WaitForSetWithContext(ctx, changes.ToObjMetadataSet(), waiting); err != nil {
			return nil, err
		}
	}
	told := make([]drift, 0, len(changes.Entries))
	for _, entry := range changes.Entries {
		told = append(told, drift{Object: entry.Subject, Action: string(entry.Action)})
	}
	return told, nil
}

// fluxPrune deletes what Flux's garbage collection would: these objects, where its labels say they are its own.
func fluxPrune(ctx context.Context, chosen *options, objects []*unstructured.Unstructured) (any, error) {
	manager, err := chosen.fluxManager(objects)
	if err != nil {
		return nil, err
	}
	changes, err := manager.DeleteAll(ctx, objects, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        manager.GetOwnerLabels(chosen.app, chosen.namespace),
		Exclusions:        map[string]string{fluxGroup + "/prune": "disabled"},
	})
	if err != nil {
		return nil, err
	}
	told := make([]drift, 0, len(changes.Entries))
	for _, entry := range changes.Entries {
		told = append(told, drift{Object: entry.Subject, Action: string(entry.Action)})
	}
	return told, nil
}

// fluxManager returns the resource manager, the objects prepared as kustomize-controller prepares them.
func (chosen *options) fluxManager(objects []*unstructured.Unstructured) (*ssa.ResourceManager, error) {
	_, cluster, err := chosen.connect(objects)
	if err != nil {
		return nil, err
	}
	poller := polling.NewStatusPoller(cluster, cluster.RESTMapper(), polling.Options{})
	manager := ssa.NewResourceManager(cluster, poller, ssa.Owner{Field: fluxManager, Group: fluxGroup})
	manager.SetOwnerLabels(objects, chosen.app, chosen.namespace)
	return manager, normalize.UnstructuredList(objects)
}

// cleanup takes over what kubectl has applied before, as kustomize-controller does.
func cleanup() ssa.ApplyCleanupOptions {
	return ssa.ApplyCleanupOptions{
		Annotations: []string{corev1.LastAppliedConfigAnnotation},
		FieldManagers: []ssa.FieldManager{
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
			{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: "before-first-apply", OperationType: metav1.ManagedFieldsOperationUpdate},
			{Name: fluxManager, OperationType: metav1.ManagedFieldsOperationUpdate},
		},
	}
}

// between returns the merge patch from one object to the other; nothing when either is absent.
func between(live, merged *unstructured.Unstructured) (json.RawMessage, error) {
	if live == nil || merged == nil {
		return nil, nil
	}
	before, err := live.MarshalJSON()
	if err != nil {
		return nil, err
	}
	after, err := merged.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}
