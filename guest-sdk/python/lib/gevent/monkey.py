"""Nothing has to be patched: the standard library waits as gevent's does."""


def patch_all(*_args, **_kwargs):
    return True


patch_socket = patch_time = patch_thread = patch_ssl = patch_os = patch_select = patch_all
patch_subprocess = patch_queue = patch_sys = patch_builtins = patch_signal = patch_dns = patch_all


def is_module_patched(name):
    return True


def is_object_patched(module, name):
    return True


def get_original(module, name):
    return getattr(__import__(module), name)
