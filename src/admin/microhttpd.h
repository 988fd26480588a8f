// The functions of libmicrohttpd that HttpServer calls.
#pragma once

#include <microhttpd.h>

#include "base/error.h"

namespace sluice::admin {

/// Filled by load_microhttpd(). The names are those of the library without MHD_.
struct Microhttpd {
  decltype(&MHD_start_daemon) start_daemon = nullptr;
  decltype(&MHD_stop_daemon) stop_daemon = nullptr;
  decltype(&MHD_run) run = nullptr;
  decltype(&MHD_get_timeout) get_timeout = nullptr;
  decltype(&MHD_get_daemon_info) get_daemon_info = nullptr;
  decltype(&MHD_get_connection_info) get_connection_info = nullptr;
  decltype(&MHD_create_response_from_buffer) create_response_from_buffer = nullptr;
  decltype(&MHD_add_response_header) add_response_header = nullptr;
  decltype(&MHD_queue_response) queue_response = nullptr;
  decltype(&MHD_destroy_response) destroy_response = nullptr;
};

/// Loads the library at the first call, and for good; the error is the dynamic linker's. It is not
/// linked, since it loads nine others: half of the start of commands that do not serve.
Result<const Microhttpd*> load_microhttpd();

}  // namespace sluice::admin
