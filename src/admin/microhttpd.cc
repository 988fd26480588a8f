#include "admin/microhttpd.h"

#include <dlfcn.h>

namespace sluice::admin {
namespace {

constexpr const char* kLibrary = "libmicrohttpd.so.12";  // of every version from 0.9.34 on

template <class Function>
bool find(void* library, const char* name, Function*& function) noexcept {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  return function != nullptr;
}

Result<Microhttpd> load() {
  void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  Microhttpd all;
  if (library != nullptr && find(library, "MHD_start_daemon", all.start_daemon) &&
      find(library, "MHD_stop_daemon", all.stop_daemon) && find(library, "MHD_run", all.run) &&
      find(library, "MHD_get_timeout", all.get_timeout) &&
      find(library, "MHD_get_daemon_info", all.get_daemon_info) &&
      find(library, "MHD_get_connection_info", all.get_connection_info) &&
      find(library, "MHD_create_response_from_buffer", all.create_response_from_buffer) &&
      find(library, "MHD_add_response_header", all.add_response_header) &&
      find(library, "MHD_queue_response", all.queue_response) &&
      find(library, "MHD_destroy_response", all.destroy_response)) {
    return all;
  }
  const char* const why = ::dlerror();
  return Error{why == nullptr ? kLibrary : why};
}

}  // namespace

Result<const Microhttpd*> load_microhttpd() {
  static const Result<Microhttpd> loaded = load();
  if (!loaded) return loaded.error();
  return &loaded.value();
}

}  // namespace sluice::admin
