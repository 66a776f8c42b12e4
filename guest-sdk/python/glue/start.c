// The interpreter's beginning: before the snapshot is taken.
#include "glue.h"

// Where the library and our packages are mounted while the snapshot is made, and the script later.
#define HOME "/py"
static char *const paths[] = {"/py/lib/python3.14", "/swarm"};

static void fail(const char *what) {
  if (PyErr_Occurred()) PyErr_Print();
  dprintf(2, "%s\n", what);
  __builtin_trap();
}

PyThreadState *begin_python(void) {
  PyInitConfig *config = PyInitConfig_Create();
  int wrong = !config || PyInitConfig_SetStr(config, "home", HOME) ||
              PyInitConfig_SetStrList(config, "module_search_paths", 2, paths) ||
              PyInitConfig_SetInt(config, "module_search_paths_set", 1) ||
              PyInitConfig_SetInt(config, "install_signal_handlers", 0) ||
              PyInitConfig_SetInt(config, "site_import", 0) ||
              PyInitConfig_SetInt(config, "write_bytecode", 0) ||
              // The same in each instance: what comes out of a set must not depend on the machine.
              PyInitConfig_SetInt(config, "use_hash_seed", 1) ||
              PyInitConfig_SetInt(config, "hash_seed", 0) ||
              PyInitConfig_SetInt(config, "utf8_mode", 1) ||
              PyInitConfig_SetInt(config, "buffered_stdio", 0);
  if (wrong || Py_InitializeFromInitConfig(config)) {
    const char *message = "there is no memory";
    if (config) PyInitConfig_GetError(config, &message);
    fail(message);
  }
  PyInitConfig_Free(config);
  PyObject *module = PyImport_AddModule("_swarm");
  PyObject *names = module ? PyModule_GetDict(module) : NULL;
  if (!names || add_types(names) || add_functions(names)) fail("the module _swarm cannot be made");
  if (!PyImport_ImportModule("_swarm_runtime.prepare")) fail("our packages cannot be imported");
  return PyEval_SaveThread();
}
