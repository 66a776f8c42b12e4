// The part of CPython's C API that the glue uses, and the libc beneath it.
//
// The libraries that we link to come from a wheel without headers. What is declared here is of the
// stable ABI (https://docs.python.org/3.14/c-api/stable.html), which keeps its meaning; the few
// things beyond it are marked.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef intptr_t Py_ssize_t;
typedef struct {
  Py_ssize_t references;
  void *type;
} PyObject;
typedef struct PyThreadState PyThreadState;
typedef struct PyInterpreterState PyInterpreterState;
typedef struct PyInitConfig PyInitConfig;

// libc
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
void free(void *memory);
size_t strlen(const char *text);
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *at, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);
int dprintf(int file, const char *format, ...);
void __wasilibc_reset_preopens(void);

// Life of the interpreter
PyInitConfig *PyInitConfig_Create(void);
void PyInitConfig_Free(PyInitConfig *);
int PyInitConfig_SetInt(PyInitConfig *, const char *name, int64_t value);
int PyInitConfig_SetStr(PyInitConfig *, const char *name, const char *value);
int PyInitConfig_SetStrList(PyInitConfig *, const char *name, size_t length, char *const *items);
int PyInitConfig_GetError(PyInitConfig *, const char **message);
int Py_InitializeFromInitConfig(PyInitConfig *);
PyInterpreterState *PyInterpreterState_Get(void);
PyThreadState *PyThreadState_New(PyInterpreterState *);
PyThreadState *PyEval_SaveThread(void);
void PyEval_RestoreThread(PyThreadState *);
// Not of the stable ABI: writes the limits of a thread's stack, see stacks.c.
void _Py_InitializeRecursionLimits(PyThreadState *);

// Objects
void Py_IncRef(PyObject *);
void Py_DecRef(PyObject *);
extern PyObject _Py_NoneStruct, _Py_TrueStruct, _Py_FalseStruct;
#define Py_None (&_Py_NoneStruct)
#define Py_True (&_Py_TrueStruct)
#define Py_False (&_Py_FalseStruct)
PyObject *PyObject_CallNoArgs(PyObject *);
PyObject *PyObject_CallOneArg(PyObject *, PyObject *argument);
PyObject *PyObject_CallFunction(PyObject *, const char *format, ...);
PyObject *PyObject_CallFunctionObjArgs(PyObject *, ...);
int PyObject_IsTrue(PyObject *);
PyObject *PyObject_Str(PyObject *);
PyObject *Py_BuildValue(const char *format, ...);
int PyArg_ParseTuple(PyObject *, const char *format, ...);

PyObject *PyBool_FromLong(long);
PyObject *PyLong_FromLong(long);
PyObject *PyLong_FromUnsignedLong(unsigned long);
PyObject *PyLong_FromUnsignedLongLong(unsigned long long);
long PyLong_AsLong(PyObject *);
unsigned long PyLong_AsUnsignedLong(PyObject *);
unsigned long long PyLong_AsUnsignedLongLongMask(PyObject *);
PyObject *PyNumber_Lshift(PyObject *, PyObject *);
PyObject *PyNumber_Or(PyObject *, PyObject *);
PyObject *PyFloat_FromDouble(double);
double PyFloat_AsDouble(PyObject *);
PyObject *PyUnicode_FromStringAndSize(const char *, Py_ssize_t length);
PyObject *PyUnicode_DecodeUTF8(const char *, Py_ssize_t length, const char *errors);
const char *PyUnicode_AsUTF8AndSize(PyObject *, Py_ssize_t *length);
PyObject *PyUnicode_AsEncodedString(PyObject *, const char *encoding, const char *errors);
PyObject *PyBytes_FromStringAndSize(const char *, Py_ssize_t length);
int PyBytes_AsStringAndSize(PyObject *, char **bytes, Py_ssize_t *length);
PyObject *PyList_New(Py_ssize_t length);
Py_ssize_t PyList_Size(PyObject *);
PyObject *PyList_GetItem(PyObject *, Py_ssize_t index);
int PyList_SetItem(PyObject *, Py_ssize_t index, PyObject *item);
PyObject *PyTuple_GetItem(PyObject *, Py_ssize_t index);
PyObject *PyDict_New(void);
PyObject *PyDict_GetItemWithError(PyObject *, PyObject *key);
PyObject *PyDict_GetItemString(PyObject *, const char *key);
int PyDict_SetItem(PyObject *, PyObject *key, PyObject *value);
int PyDict_SetItemString(PyObject *, const char *key, PyObject *value);
int PyDict_DelItem(PyObject *, PyObject *key);
PyObject *PyObject_GetAttrString(PyObject *, const char *name);
PyObject *PyImport_AddModule(const char *name);
PyObject *PyImport_ImportModule(const char *name);
PyObject *PyModule_GetDict(PyObject *);

// Contexts; not of the stable ABI, but public.
PyObject *PyContext_New(void);
int PyContext_Enter(PyObject *);
int PyContext_Exit(PyObject *);

// Exceptions
extern PyObject *PyExc_ValueError, *PyExc_TypeError, *PyExc_RuntimeError, *PyExc_MemoryError;
void PyErr_SetString(PyObject *type, const char *message);
PyObject *PyErr_Format(PyObject *type, const char *format, ...);
PyObject *PyErr_NoMemory(void);
PyObject *PyErr_Occurred(void);
PyObject *PyErr_GetRaisedException(void);
void PyErr_Clear(void);
void PyErr_Print(void);

// Functions and types
typedef PyObject *(*PyCFunction)(PyObject *self, PyObject *arguments);
typedef struct {
  const char *name;
  void *function;
  int flags;
  const char *doc;
} PyMethodDef;
typedef struct {
  const char *name;
  int type;
  Py_ssize_t offset;
  int flags;
  const char *doc;
} PyMemberDef;
typedef struct {
  int slot;
  void *what;
} PyType_Slot;
typedef struct {
  const char *name;
  int basic_size, item_size;
  unsigned flags;
  PyType_Slot *slots;
} PyType_Spec;
PyObject *PyCMethod_New(PyMethodDef *, PyObject *self, PyObject *module, PyObject *type);
PyObject *PyType_FromSpec(PyType_Spec *);
PyObject *PyType_GenericAlloc(PyObject *type, Py_ssize_t items);
void PyObject_Free(void *);
enum { METH_VARARGS = 1, METH_NOARGS = 4, METH_O = 8, METH_FASTCALL = 0x80 };
enum { Py_tp_dealloc = 52, Py_tp_methods = 64, Py_tp_new = 65, Py_tp_members = 72 };
enum {
  Py_T_INT = 1,
  Py_T_DOUBLE = 4,
  Py_T_USHORT = 10,
  Py_T_UINT = 11,
  Py_T_BOOL = 14,
  Py_T_OBJECT_EX = 16
};
enum { Py_READONLY = 1, Py_TPFLAGS_DEFAULT = 0, Py_TPFLAGS_DISALLOW_INSTANTIATION = 1 << 7 };
