// The folder that holds the queue: what has to be done there beside SQLite.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace sluice::queue {

/// Names are those of files in the folder, without it. All of it may block.
class Disk {
 public:
  virtual ~Disk() = default;

  /// The name of SQLite's virtual file system for this folder; null: the default one.
  virtual const char* vfs() const noexcept { return nullptr; }
  virtual std::string path(std::string_view name) const = 0;

  /// Keeps other processes out until this is destroyed; again: does nothing. The error names the
  /// process that holds the folder.
  virtual Result<void> lock() = 0;
  /// Makes an empty file, which only its owner may read, unless it is there. Its name survives a
  /// power cut.
  virtual Result<void> create(std::string_view name) = 0;
  virtual bool exists(std::string_view name) const = 0;
  /// Files whose names begin so.
  virtual int count(std::string_view beginning) const = 0;
  /// Survives a power cut. Without `from` it does nothing.
  virtual Result<void> rename(std::string_view from, std::string_view to) = 0;
  /// Writes all of a file again and syncs it: a copy that takes its name, so that a power cut finds
  /// the one or the other, or where there is no room for one in its place. Without the file it does
  /// nothing.
  virtual Result<void> rewrite(std::string_view name) = 0;
  /// Makes a file for which the disk has set these bytes aside; on an error there is none.
  virtual Result<void> allocate(std::string_view name, std::uint64_t bytes) = 0;
  virtual void remove(std::string_view name) = 0;
  virtual std::uint64_t size(std::string_view name) const = 0;  ///< 0 without such a file
  /// What this process may still write; 0 if that cannot be found out.
  virtual std::uint64_t free_bytes() const = 0;
};

/// A folder of the system's.
class Folder final : public Disk {
 public:
  explicit Folder(std::string folder) : folder_(std::move(folder)) {}
  ~Folder() override;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(std::string_view name) const override;
  Result<void> lock() override;
  Result<void> create(std::string_view name) override;
  bool exists(std::string_view name) const override;
  int count(std::string_view beginning) const override;
  Result<void> rename(std::string_view from, std::string_view to) override;
  Result<void> rewrite(std::string_view name) override;
  Result<void> allocate(std::string_view name, std::uint64_t bytes) override;
  void remove(std::string_view name) override;
  std::uint64_t size(std::string_view name) const override;
  std::uint64_t free_bytes() const override;

 private:
  Result<void> sync() const;
  /// Returns 0, or the system's code.
  static int copy(int from, int to) noexcept;
  Error error(std::string_view doing, std::string_view name, int code) const;

  std::string folder_;
  int lock_ = -1;  // the file whose flock is held
};

}  // namespace sluice::queue
