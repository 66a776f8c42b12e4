package swarm

import (
	"structs"
	"unsafe"
)

// Who owns the memory that crosses the border:
//
//   - What an export returns is read by the host after the export has returned. `answer` keeps it
//     alive until the next answer; nothing is left behind.
//   - What an import returns is written by the host into memory that it asks of cabi_realloc.
//     `received` keeps it alive until the caller has copied it, which it does at once.
//   - What is passed to an import is only read during the call.
//
// Go's collector does not move objects, but it does not see an address kept as a u32 either: hence
// the two keepers.

// wireList is a list or a string: where its items are, and how many there are.
type wireList struct {
	_       structs.HostLayout
	address uint32
	length  uint32
}

// keeper keeps what the host reads reachable for Go's collector.
type keeper struct{ values []any }

// answer holds what the last export returned.
var answer keeper

func (k *keeper) reset() {
	clear(k.values)
	k.values = k.values[:0]
}

// text keeps a string.
func (k *keeper) text(text string) wireList {
	k.values = append(k.values, text)
	return wireList{
		address: address(unsafe.Pointer(unsafe.StringData(text))),
		length:  uint32(len(text)),
	}
}

// keepList keeps a list.
func keepList[T any](k *keeper, items []T) wireList {
	k.values = append(k.values, items)
	return wireList{
		address: address(unsafe.Pointer(unsafe.SliceData(items))),
		length:  uint32(len(items)),
	}
}

// keepValue keeps a single value, and returns its address.
func keepValue[T any](k *keeper, value *T) *T {
	k.values = append(k.values, value)
	return value
}

func address(pointer unsafe.Pointer) uint32 { return uint32(uintptr(pointer)) }

// received holds what cabi_realloc gave out since the last call of takeText.
var received [][]byte

// cabiRealloc is called by the host, in the middle of a call of ours, for each string and list that
// it is about to return. The host never asks for a block to grow.
//
//go:wasmexport cabi_realloc
func cabiRealloc(_ unsafe.Pointer, _, align, size uint32) unsafe.Pointer {
	// Go aligns a block of bytes by its size, so a short one gets room to move to the alignment.
	block := make([]byte, size+align)
	received = append(received, block)
	start := unsafe.Pointer(unsafe.SliceData(block))
	gap := -uintptr(start) & uintptr(align-1)
	return unsafe.Add(start, gap)
}

// takeText copies a string that an import has returned, and lets go of what the host has written.
func takeText(list wireList) string {
	var text string
	if list.length > 0 {
		bytes := (*byte)(unsafe.Pointer(uintptr(list.address)))
		text = string(unsafe.Slice(bytes, list.length))
	}
	clear(received)
	received = received[:0]
	return text
}

// line is where adapter.wat puts together what the runtime prints, one line at a time.
var line [1024]byte

//go:wasmimport wasi_snapshot_preview1 swarm_lend_line
func lendLine(buffer unsafe.Pointer, size uint32)

func init() { lendLine(unsafe.Pointer(&line), uint32(len(line))) }
