// One run of `sluice send`, its standard streams being pipes.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "cli/send.h"
#include "scripted_server.h"

namespace sluice::test {

using cli::run_send;
using cli::SendOptions;

/// A pipe; both ends are closed with it.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_reader() { close_end(ends_[0]); }
  void close_writer() { close_end(ends_[1]); }
  void write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t wrote = ::write(writer(), text.data(), text.size());
      if (wrote <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
  std::string read_to_end() const {
    std::string all;
    std::array<char, 4096> buffer;  // NOLINT: filled by read
    for (;;) {
      const ssize_t got = ::read(reader(), buffer.data(), buffer.size());
      if (got <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  static void close_end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

/// One run of the command and all it wrote.
struct Run {
  int status = -1;
  std::string output;
  std::string errors;
};

inline Run run(const SendOptions& options, const std::string& input = {}, std::size_t window = 256,
               std::chrono::milliseconds reply_margin = std::chrono::milliseconds{1000}) {
  Pipe in;
  Pipe out;
  Pipe err;
  Run result;
  std::thread feeder([&] {
    in.write(input);
    in.close_writer();
  });
  std::thread output([&] { result.output = out.read_to_end(); });
  std::thread errors([&] { result.errors = err.read_to_end(); });
  result.status =
      run_send(options, {in.reader(), out.writer(), err.writer(), false, window, reply_margin});
  out.close_writer();
  err.close_writer();
  (void)in.read_to_end();  // frees a feeder whose input nobody wanted
  feeder.join();
  output.join();
  errors.join();
  return result;
}

inline SendOptions options_for(const ScriptedServer& server, std::string message) {
  SendOptions options;
  options.address = server.address();
  options.device = 1001;
  options.topic = "dev/1001/cmd";
  options.message = std::move(message);
  return options;
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline void answer_all(Peer& peer) {
  for (;;) {
    const std::string request = peer.read_line();
    if (request.empty()) return;
    peer.write(success(id_of(request)));
  }
}

}  // namespace sluice::test
