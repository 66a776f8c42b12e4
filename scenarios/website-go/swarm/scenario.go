// Package swarm is the contract of wit/scenario.wit for Go, as far as this scenario needs it: it
// exports `describe`, `start`, `run` and `stop`, and calls the host's HTTP client.
//
// Go has no generator of bindings that its own toolchain can use, so the functions are written by
// hand against the canonical ABI. memory.go has the rules about memory that all of them keep;
// `wasm-tools component new` refuses a function whose type does not fit the contract.
package swarm

import (
	"fmt"
	"structs"
)

// Scenario is a plan with one class of users and what its tasks do.
type Scenario struct {
	Class string
	Wait  Between
	Tasks []Task // A task's index is its id.
}

// Between is a rest of random length after each task, uniform in milliseconds.
type Between struct{ MinMS, MaxMS uint32 }

// Task is one thing that a user does. Tasks are drawn by Weight, in proportion to their sum.
type Task struct {
	Name   string
	Weight float64
	// Run does the task. An error is counted among the errors of the test.
	Run func(user *User) error
}

var (
	registered Scenario
	// current is the one user of this instance: the plan says `per-user`.
	current *User
)

// Register sets the scenario. Call it from an init function, once.
func Register(scenario Scenario) { registered = scenario }

// The records of the plan as the host reads them. Go lays structs out as the canonical ABI does
// (fields in order, each at a multiple of its own alignment); only pointers must be u32, since
// Go's are 64 bits wide even here. Variants are a tag and the largest payload of their cases.
type (
	wireUserClass struct {
		_          structs.HostLayout
		name       wireList
		population wireFloatCase
		host       wireOptionString
		wait       wireRangeCase
		sets       wireList
	}
	wireTaskSet struct {
		_     structs.HostLayout
		name  wireList
		order wireListCase
		tasks wireList
	}
	wireTask struct {
		_      structs.HostLayout
		id     uint32
		name   wireList
		weight float64
		tags   wireList
		action wireU32Case
	}
	// population: weight(f64) is case 0.
	wireFloatCase struct {
		_     structs.HostLayout
		tag   uint8
		value float64
	}
	// wait: between(range) is case 2. Another case holds an f64: everything is aligned to 8.
	wireRangeCase struct {
		_        structs.HostLayout
		_        [0]float64
		tag      uint8
		_        [7]uint8
		min, max uint32
	}
	// order: weighted is case 0.
	wireListCase struct {
		_       structs.HostLayout
		tag     uint8
		payload wireList
	}
	// action: run is case 0; sharing: per-user is case 0.
	wireU32Case struct {
		_       structs.HostLayout
		tag     uint8
		payload uint32
	}
	wireOptionString struct {
		_       structs.HostLayout
		tag     uint8
		payload wireList
	}
	// result<scenario, string>: case 0 is ok. This package never answers with the other.
	wirePlanResult struct {
		_       structs.HostLayout
		tag     uint8
		classes wireList
		sharing wireU32Case
	}
	// result<_, string> and result<then, string>. `then` is a byte where the string would be, and
	// its case 0 is rest: a zero value says ok, and rest.
	wireResult struct {
		_     structs.HostLayout
		tag   uint8
		error wireList
	}
)

const (
	tagOK      = 0
	tagErr     = 1
	tagBetween = 2
)

//go:wasmexport describe
func describe() *wirePlanResult {
	answer.reset()
	tasks := make([]wireTask, len(registered.Tasks))
	for id, task := range registered.Tasks {
		tasks[id] = wireTask{id: uint32(id), name: answer.text(task.Name), weight: task.Weight}
	}
	sets := []wireTaskSet{{name: answer.text("root"), tasks: keepList(&answer, tasks)}}
	classes := []wireUserClass{{
		name:       answer.text(registered.Class),
		population: wireFloatCase{value: 1},
		wait: wireRangeCase{
			tag: tagBetween,
			min: registered.Wait.MinMS,
			max: registered.Wait.MaxMS,
		},
		sets: keepList(&answer, sets),
	}}
	return keepValue(&answer, &wirePlanResult{classes: keepList(&answer, classes)})
}

//go:wasmexport start
func start(id, class, seed, client uint32) *wireResult {
	current = &User{ID: id, Seed: seed, client: client}
	return result(nil)
}

//go:wasmexport run
func run(user, task uint32) *wireResult {
	if current == nil || int(task) >= len(registered.Tasks) {
		return result(fmt.Errorf("user %d has no task %d", user, task))
	}
	return result(registered.Tasks[task].Run(current))
}

//go:wasmexport stop
func stop(user uint32) {
	if current != nil {
		clientDrop(current.client)
		current = nil
	}
}

// result puts an outcome where the host reads it after the export has returned.
func result(err error) *wireResult {
	answer.reset()
	wire := &wireResult{tag: tagOK}
	if err != nil {
		wire.tag = tagErr
		wire.error = answer.text(err.Error())
	}
	return keepValue(&answer, wire)
}
