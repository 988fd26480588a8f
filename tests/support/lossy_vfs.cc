// SQLite's side of a LossyDisk.
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "lossy_disk.h"

namespace sluice::queue {

/// What SQLite calls.
struct LossyVfs {
  struct Open {
    sqlite3_file base;  // SQLite knows it by this address
    LossyDisk* disk;
    int file;
  };
  using What = Failure::What;

  static LossyDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<LossyDisk*>(vfs->pAppData); }
  static Open& open_of(sqlite3_file* file) { return *reinterpret_cast<Open*>(file); }
  static LossyFile& file_of(sqlite3_file* file) {
    return open_of(file).disk->state_.files.at(open_of(file).file);
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* raw, int flags, int* out) {
    LossyDisk& disk = disk_of(vfs);
    raw->pMethods = nullptr;
    if (name == nullptr) return SQLITE_CANTOPEN;  // a temporary file: the store wants none
    int file = disk.state_.find(name);
    if (file < 0) {
      if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
      if (disk.write_call() != What::None) return SQLITE_CANTOPEN;
      file = disk.state_.make(name);
      constexpr int kSyncsNames = SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
      disk.state_.files[file].syncs_names = (flags & kSyncsNames) != 0;
    }
    Open& opened = open_of(raw);
    opened.disk = &disk;
    opened.file = file;
    raw->pMethods = methods();
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_names) {
    LossyDisk& disk = disk_of(vfs);
    if (disk.state_.find(name) < 0) return SQLITE_IOERR_DELETE_NOENT;
    if (disk.write_call() != What::None) return SQLITE_IOERR_DELETE;
    disk.state_.remove(name);
    if (sync_names == 0) return SQLITE_OK;
    if (disk.sync_fails()) return SQLITE_IOERR_DIR_FSYNC;
    disk.state_.sync_names();
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* result) {
    *result = disk_of(vfs).state_.find(name) >= 0 ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_name(sqlite3_vfs*, const char* name, int size, char* out) {
    return sqlite3_snprintf(size, out, "%s", name) != nullptr ? SQLITE_OK : SQLITE_CANTOPEN;
  }

  static int close(sqlite3_file*) { return SQLITE_OK; }
  static int read(sqlite3_file* raw, void* to, int amount, sqlite3_int64 from) {
    const auto size = static_cast<std::size_t>(amount);
    const What what = open_of(raw).disk->read_call();
    if (what == What::Read) return SQLITE_IOERR_READ;
    const std::string& seen = file_of(raw).seen;
    const auto offset = std::min(static_cast<std::size_t>(from), seen.size());
    std::size_t there = std::min(size, seen.size() - offset);
    if (what == What::ShortRead) there = 0;
    std::memcpy(to, seen.data() + offset, there);
    std::memset(static_cast<char*>(to) + there, 0, size - there);
    return there == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  static int write(sqlite3_file* raw, const void* from, int amount, sqlite3_int64 to) {
    const auto offset = static_cast<std::size_t>(to);
    const std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(amount));
    LossyDisk& disk = *open_of(raw).disk;
    LossyFile& file = file_of(raw);
    const What what = disk.write_call();
    // Space is missing where a file grows. What it has can be written to.
    const bool grows = offset + bytes.size() > file.seen.size();
    const bool has_room =
        what != What::NoSpace && disk.has_room(open_of(raw).file, offset + bytes.size());
    if (what != What::Write && (has_room || !grows)) {
      file.write(offset, bytes);
      return SQLITE_OK;
    }
    if (what != What::None) file.write(offset, bytes.substr(0, bytes.size() / 2));
    return what == What::Write ? SQLITE_IOERR_WRITE : SQLITE_FULL;
  }
  static int truncate(sqlite3_file* raw, sqlite3_int64 size) {
    if (open_of(raw).disk->write_call() != What::None) return SQLITE_IOERR_TRUNCATE;
    file_of(raw).truncate(static_cast<std::size_t>(size));
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* raw, int) {
    LossyDisk& disk = *open_of(raw).disk;
    LossyFile& file = file_of(raw);
    if (disk.sync_fails()) {
      disk.lose_changes(file);
      return SQLITE_IOERR_FSYNC;
    }
    file.sync();
    if (std::exchange(file.syncs_names, false)) disk.state_.sync_names();
    return SQLITE_OK;
  }
  static int size(sqlite3_file* raw, sqlite3_int64* size) {
    *size = static_cast<sqlite3_int64>(file_of(raw).seen.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int is_reserved(sqlite3_file*, int* result) {
    *result = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  // As the system's own: sectors that losses are counted in are smaller.
  static int sector_size(sqlite3_file*) { return 4096; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

  /// Version 1: without shared memory, which the store must not need.
  static const sqlite3_io_methods* methods() {
    static const sqlite3_io_methods all = [] {
      sqlite3_io_methods made{};
      made.iVersion = 1;
      made.xClose = close;
      made.xRead = read;
      made.xWrite = write;
      made.xTruncate = truncate;
      made.xSync = sync;
      made.xFileSize = size;
      made.xLock = lock;
      made.xUnlock = lock;
      made.xCheckReservedLock = is_reserved;
      made.xFileControl = control;
      made.xSectorSize = sector_size;
      made.xDeviceCharacteristics = characteristics;
      return made;
    }();
    return &all;
  }
};

struct LossyDisk::Vfs {
  std::string name;
  sqlite3_vfs vfs{};
};

LossyDisk::LossyDisk(const Medium& start, std::uint64_t seed)
    : random_(seed), vfs_(std::make_unique<Vfs>()) {
  for (const auto& [name, content] : start) {
    const int file = state_.make(name);
    state_.files[file].seen = state_.files[file].kept = content;
  }
  state_.sync_names();
  static int made = 0;
  vfs_->name = "lossy-" + std::to_string(++made);
  const sqlite3_vfs& system = *sqlite3_vfs_find(nullptr);
  vfs_->vfs = system;  // for time, randomness and sleep
  vfs_->vfs.iVersion = 1;
  vfs_->vfs.szOsFile = sizeof(LossyVfs::Open);
  vfs_->vfs.mxPathname = 256;
  vfs_->vfs.pNext = nullptr;
  vfs_->vfs.zName = vfs_->name.c_str();
  vfs_->vfs.pAppData = this;
  vfs_->vfs.xOpen = LossyVfs::open;
  vfs_->vfs.xDelete = LossyVfs::remove;
  vfs_->vfs.xAccess = LossyVfs::access;
  vfs_->vfs.xFullPathname = LossyVfs::full_name;
  sqlite3_vfs_register(&vfs_->vfs, 0);
}

const char* LossyDisk::vfs_name() const noexcept {
  return vfs_->name.c_str();
}

LossyDisk::~LossyDisk() {
  sqlite3_vfs_unregister(&vfs_->vfs);
}

}  // namespace sluice::queue
