// A disk in memory that loses what was not synced when its power is cut, fails on demand and can be
// full: below SQLite, and below the rest of the durable queue's store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "queue/disk.h"

namespace sluice::queue {

/// What is left after a power cut: names and contents.
using Medium = std::map<std::string, std::string>;

/// What a power cut does to sectors of 512 bytes that were written and not synced.
enum class Loss { Nothing, Everything, Later, Some, Torn };
constexpr Loss kLosses[] = {Loss::Nothing, Loss::Everything, Loss::Later, Loss::Some, Loss::Torn};

/// A file with what was written since its last sync, which a power cut may lose. After a failed
/// sync that is forgotten: it can still be read, and no later sync writes it.
struct LossyFile {
  struct Change {
    bool truncates = false;
    std::size_t offset = 0;  // or the new size
    std::string bytes = {};  // within one sector
  };
  std::string seen;  // what is read
  std::string kept;  // what is on the medium
  std::vector<Change> changes;
  bool syncs_names = false;  // as SQLite's file system does after it made a log or a journal

  void write(std::size_t offset, std::string_view bytes);
  void truncate(std::size_t size);
  void sync();
};

/// All files and their names. A value: a copy is what a power cut at this moment finds.
struct DiskState {
  std::map<int, LossyFile> files;
  std::map<std::string, int> names;                       // as they are seen
  std::map<std::string, int> kept_names;                  // as they are on the medium
  std::vector<std::pair<std::string, int>> name_changes;  // since then; -1: removed
  int next_file = 0;

  int find(const std::string& name) const;  // -1: none
  int make(const std::string& name);
  void remove(const std::string& name);
  void sync_names();
  Medium after_power_cut(Loss loss, std::mt19937_64& random) const;
};

/// What goes wrong (a short read: as behind the end of the file), from a call on, which is counted
/// among those of its kind.
struct Failure {
  enum class What { None, Write, NoSpace, Sync, Read, ShortRead };
  What what = What::None;
  std::uint64_t at = 0;
  bool goes_on = false;  // until heal()
};

class LossyDisk {
 public:
  explicit LossyDisk(const Medium& start = {}, std::uint64_t seed = 1);
  ~LossyDisk();
  LossyDisk(const LossyDisk&) = delete;
  LossyDisk& operator=(const LossyDisk&) = delete;

  /// For one store; this must outlive it.
  std::unique_ptr<Disk> disk();

  const DiskState& state() const noexcept { return state_; }
  Medium after_power_cut(Loss loss) { return state_.after_power_cut(loss, random_); }

  /// Called before each call that changes something or syncs.
  std::function<void()> before_change;

  void fail(const Failure& failure) { failure_ = failure; }
  void heal() { failure_ = {}; }
  bool has_failed() const noexcept { return has_failed_; }
  const char* vfs_name() const noexcept;
  /// Calls of a kind up to now.
  std::uint64_t writes() const noexcept { return writes_; }
  std::uint64_t syncs() const noexcept { return syncs_; }
  std::uint64_t reads() const noexcept { return reads_; }

  /// The size of the disk, 0: endless; and what files of others take of it.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  void set_others(std::uint64_t bytes) { others_ = bytes; }
  std::uint64_t free_bytes() const;
  /// Overwrites bytes of a file, as a broken disk would.
  void damage(const std::string& name, std::size_t offset, std::string_view bytes);

 private:
  friend class LossyFolder;
  friend struct LossyVfs;
  struct Vfs;
  using What = Failure::What;

  /// Counts a call, and says what it comes to.
  What write_call();
  bool sync_fails();
  What read_call();
  bool strikes(std::uint64_t call) noexcept;
  bool has_room(int file, std::size_t size) const;
  void lose_changes(LossyFile& file);

  DiskState state_;
  Failure failure_;
  std::mt19937_64 random_;
  std::uint64_t writes_ = 0;
  std::uint64_t syncs_ = 0;
  std::uint64_t reads_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint64_t others_ = 0;
  bool has_failed_ = false;
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace sluice::queue
