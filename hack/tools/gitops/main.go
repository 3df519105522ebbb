// Command gitops tells what Flux and Argo CD would see in objects, computed by the libraries that they are made of.
//
// Here: the command line, objects in and JSON out. Elsewhere: kstatus and Flux (flux.go), Argo CD's diff (argo.go),
// Argo CD's Lua (lua.go).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// command is one sub-command: objects in, one value out for each, in their order.
type command func(ctx context.Context, options *options, objects []*unstructured.Unstructured) (any, error)

var commands = map[string]command{
	"kstatus":     kstatus,
	"flux-diff":   fluxDiff,
	"flux-apply":  fluxApply,
	"flux-prune":  fluxPrune,
	"argo-apply":  argoApply,
	"argo-diff":   argoDiff,
	"argo-health": argoHealth,
}

// options are the flags of all sub-commands; each reads those that it needs.
type options struct {
	kubeconfig     string
	namespace      string
	app            string
	mode           string
	wait           bool
	timeout        int
	customizations string
}

func main() {
	ctrllog.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "gitops: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) == 0 || commands[arguments[0]] == nil {
		return fmt.Errorf("name what to do, one of %s; objects are read from stdin", strings.Join(names(), ", "))
	}
	var chosen options
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.StringVar(&chosen.kubeconfig, "kubeconfig", "", "the cluster to ask")
	flags.StringVar(&chosen.namespace, "namespace", "default", "where objects without a namespace go")
	flags.StringVar(&chosen.app, "app", "models", "the Flux Kustomization or Argo CD Application that owns the objects")
	flags.StringVar(&chosen.mode, "mode", "client", "how Argo CD compares: client, structured or server")
	flags.BoolVar(&chosen.wait, "wait", false, "flux-apply: wait until everything is Current, or something Failed")
	flags.IntVar(&chosen.timeout, "timeout", 60, "flux-apply: seconds to wait")
	flags.StringVar(&chosen.customizations, "customizations", "", "a folder laid out as Argo CD's resource_customizations")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	objects, err := read(in)
	if err != nil {
		return err
	}
	told, err := commands[arguments[0]](ctx, &chosen, objects)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(told)
}

func names() []string {
	var all []string
	for name := range commands {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// read takes YAML or JSON documents; the items of a List are read as if each were a document.
func read(in io.Reader) ([]*unstructured.Unstructured, error) {
	var found []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil:
			return nil, fmt.Errorf("stdin is not a stream of Kubernetes objects: %w", err)
		case len(object.Object) == 0:
		case object.IsList():
			if err := object.EachListItem(func(item runtimeObject) error {
				found = append(found, item.(*unstructured.Unstructured))
				return nil
			}); err != nil {
				return nil, err
			}
		default:
			found = append(found, object)
		}
	}
}

// connect returns the way to the cluster, and gives namespaced objects the namespace that kustomize or Argo CD would.
func (chosen *options) connect(objects []*unstructured.Unstructured) (*rest.Config, client.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", chosen.kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = 200, 400
	cluster, err := client.New(config, client.Options{})
	if err != nil {
		return nil, nil, err
	}
	for _, object := range objects {
		// Where its CRD comes with the same set the cluster cannot say yet; such objects name their namespace.
		if namespaced, err := cluster.IsObjectNamespaced(object); err == nil && namespaced && object.GetNamespace() == "" {
			object.SetNamespace(chosen.namespace)
		}
	}
	return config, cluster, nil
}
