// Starts sluice, ends it by its process id, and reads its log.
#include "subject.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "net.h"

namespace sluice::ledger_run {
namespace {

constexpr std::size_t kLastLines = 15;
constexpr Nanoseconds kRemembered = 15 * kSecond;

/// Times so short that a fault and the recovery fit into a few seconds. FaultPlayer and Limits
/// depend on reconnect_max_ms and ack_timeout_ms.
constexpr const char* kBroker = R"(connections = 4
keepalive_s = 5
connect_timeout_ms = 1000
ack_timeout_ms = 1500
reconnect_min_ms = 50
reconnect_max_ms = 1000
)";

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    lines.push_back(line);
  return lines;
}

}  // namespace

Subject::Subject(const SubjectPlan& plan) : port_(find_free_port()) {
  std::string pattern = std::filesystem::temp_directory_path() / "sluice-ledger-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  folder_ = pattern;
  write_configuration(plan);
  const std::string conf = folder_ + "/sluice.toml";
  const std::string log = folder_ + "/sluice.log";
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  // It must end with this program, in every case.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  ::setpgid(0, 0);  // Ctrl-C is for this program, which ends sluice itself
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int in = ::open("/dev/null", O_RDONLY);
  if (out < 0 || in < 0) ::_exit(127);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execl(plan.binary.c_str(), plan.binary.c_str(), "serve", "-c", conf.c_str(), nullptr);
  ::_exit(127);
}

Subject::~Subject() {
  if (!has_ended()) kill();
  if (keeps_folder_) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Subject::write_configuration(const SubjectPlan& plan) const {
  std::ofstream file(folder_ + "/sluice.toml");
  file << "[server]\nlisten = [\"tcp://127.0.0.1:" << port_ << "\"]\n\n[log]\nlevel = \""
       << (plan.debug ? "debug" : "info") << "\"\n\n[admin]\nlisten = \"\"\n\n"
       << "[[broker]]\nname = \"ledger\"\nurl = \"mqtt" << (plan.has_tls ? "s" : "")
       << "://127.0.0.1:" << plan.broker_port
       << "\"\nmin_dev_no = 0\nmax_dev_no = 1000000\nprotocol = \"" << (plan.is_v5 ? "5" : "3.1.1")
       << "\"\n"
       << kBroker << (plan.has_tls ? "tls = { insecure = true }\n" : "");
  if (!file.flush()) throw std::runtime_error("cannot write " + folder_ + "/sluice.toml");
}

void Subject::note_waiting(Nanoseconds now) {
  if (pid_ < 0) return;
  // "time on the processor, time waiting for it, slices" (proc(5)), of the thread with the loop.
  std::ifstream file("/proc/" + std::to_string(pid_) + "/schedstat");
  Nanoseconds ran = 0;
  Nanoseconds waited = 0;
  if (!(file >> ran >> waited)) return;
  waiting_.emplace_back(now, waited);
  while (waiting_.front().first < now - kRemembered)
    waiting_.pop_front();
}

Nanoseconds Subject::waited(Nanoseconds since, Nanoseconds now) {
  note_waiting(now);
  for (const auto& [when, waited] : waiting_)
    if (when >= since) return waiting_.back().second - waited;
  return 0;
}

bool Subject::has_ended() {
  if (pid_ < 0) return true;
  if (::waitpid(pid_, &status_, WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

void Subject::terminate() const {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
}

void Subject::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, &status_, 0);
  pid_ = -1;
}

std::string Subject::exit_text() const {
  if (WIFEXITED(status_)) return "exit status " + std::to_string(WEXITSTATUS(status_));
  if (WIFSIGNALED(status_)) return "ended by signal " + std::to_string(WTERMSIG(status_));
  return "ended in an unknown way";
}

std::string Subject::sanitizer_report() const {
  static constexpr std::array kSigns = {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                                        "runtime error:", "WARNING: ThreadSanitizer",
                                        "AddressSanitizer:DEADLYSIGNAL"};
  for (const std::string& line : lines_of(folder_ + "/sluice.log"))
    for (const char* sign : kSigns)
      if (line.find(sign) != std::string::npos) return line;
  return {};
}

std::string Subject::last_lines() const {
  const std::vector<std::string> lines = lines_of(folder_ + "/sluice.log");
  std::string text;
  for (std::size_t i = lines.size() > kLastLines ? lines.size() - kLastLines : 0; i < lines.size();
       ++i) {
    text += "\n  " + lines[i];
  }
  return text;
}

}  // namespace sluice::ledger_run
