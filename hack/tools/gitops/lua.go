package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/fluxcd/pkg/ssa/utils"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

// scripts are customizations in the layout of Argo CD: <group>/<Kind>/health.lua.
type scripts struct{ folder string }

// argoHealth says what Argo CD would show: our script's word, and its own rules for kinds that we have no script for.
func argoHealth(_ context.Context, chosen *options, objects []*unstructured.Unstructured) (any, error) {
	told := make([]computed, 0, len(objects))
	for _, object := range objects {
		found, err := health.GetResourceHealth(object, scripts{chosen.customizations})
		if err != nil {
			return nil, err
		}
		if found == nil {
			// Argo CD has no opinion on such a kind, and leaves it out of an application's health.
			found = &health.HealthStatus{}
		}
		told = append(told, computed{utils.FmtUnstructured(object), string(found.Status), found.Message})
	}
	return told, nil
}

// GetResourceHealth runs the script for the object's kind; it has no answer when there is none.
func (s scripts) GetResourceHealth(object *unstructured.Unstructured) (*health.HealthStatus, error) {
	if s.folder == "" {
		return nil, nil
	}
	kind := object.GroupVersionKind()
	script, err := os.ReadFile(filepath.Join(s.folder, kind.Group, kind.Kind, "health.lua"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	said, err := runLua(string(script), object)
	if err != nil {
		return nil, err
	}
	var told health.HealthStatus
	if err := json.Unmarshal(said, &told); err != nil {
		return nil, fmt.Errorf("health.lua returned what is no health: %w", err)
	}
	return &told, nil
}

// runLua gives the script what Argo CD gives to a script of its user's: the libraries base, table and package, a
// second of time, and the object as `obj`. It returns the result as JSON.
func runLua(script string, object *unstructured.Unstructured) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		opening := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(opening, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limited)
	text, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	value, err := luajson.Decode(state, text)
	if err != nil {
		return nil, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return luajson.Encode(state.Get(-1))
}
