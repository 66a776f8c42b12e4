package swarm

import (
	"fmt"
	"runtime"
	"structs"
	"unsafe"
)

// The host's functions. A method gets its resource's handle first; a string is its address and its
// length; a result that needs more than one value is written to the address given last.

//go:wasmimport swarm:scenario/http@0.1.0 [method]client.get
func clientGet(client uint32, url unsafe.Pointer, urlLength uint32, result unsafe.Pointer)

//go:wasmimport swarm:scenario/http@0.1.0 [resource-drop]client
func clientDrop(client uint32)

//go:wasmimport swarm:scenario/http@0.1.0 [method]response.status
func responseStatus(response uint32) uint32

//go:wasmimport swarm:scenario/http@0.1.0 [method]response.fail
func responseFail(response uint32, reason unsafe.Pointer, reasonLength uint32)

//go:wasmimport swarm:scenario/http@0.1.0 [resource-drop]response
func responseDrop(response uint32)

// inCall tells adapter.wat that the host may call cabi_realloc from now on, or no longer. Every
// call of an import that returns a string or a list stands between two of these.
//
//go:wasmimport wasi_snapshot_preview1 swarm_in_call
func inCall(begun uint32)

// User is one virtual user: its connections, its cookies, its statistics.
type User struct {
	ID     uint32 // Unique in the whole test, dense from 0.
	Seed   uint32 // The same for the same seed of the test and the same ID.
	client uint32
}

// Response is an answer. Close it: until then the host keeps it.
type Response struct{ handle uint32 }

// Error is why there was no answer. The host has counted it already.
type Error struct {
	Kind    ErrorKind
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Kind, e.Message) }

// ErrorKind is the contract's `error-kind`.
type ErrorKind uint8

var errorKinds = [...]string{
	"timeout", "connect", "dns", "tls", "protocol", "too-large", "denied", "other",
}

func (k ErrorKind) String() string {
	if int(k) < len(errorKinds) {
		return errorKinds[k]
	}
	return "unknown"
}

// result<response, error>: a handle, or a byte for the kind and a string; both begin at offset 4.
type wireResponseResult struct {
	_       structs.HostLayout
	tag     uint8
	value   uint32
	message wireList
}

// Get requests a path of the class's host, or an URL. The error is always an *Error.
func (u *User) Get(url string) (*Response, error) {
	var result wireResponseResult
	inCall(1)
	clientGet(
		u.client,
		unsafe.Pointer(unsafe.StringData(url)), uint32(len(url)),
		unsafe.Pointer(&result),
	)
	inCall(0)
	runtime.KeepAlive(url)
	if result.tag == tagErr {
		return nil, &Error{Kind: ErrorKind(result.value & 0xff), Message: takeText(result.message)}
	}
	return &Response{handle: result.value}, nil
}

// Status is the HTTP status code.
func (r *Response) Status() int { return int(responseStatus(r.handle)) }

// Fail counts the request as failed, for this reason.
func (r *Response) Fail(reason string) {
	responseFail(r.handle, unsafe.Pointer(unsafe.StringData(reason)), uint32(len(reason)))
	runtime.KeepAlive(reason)
}

// Close gives the response back to the host, which records the sample.
func (r *Response) Close() { responseDrop(r.handle) }
