#include "lossy_disk.h"

#include <algorithm>
#include <utility>

namespace sluice::queue {
namespace {

constexpr std::size_t kSector = 512;

void put(std::string& content, std::size_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

void make_change(std::string& content, const LossyFile::Change& change) {
  if (change.truncates)
    content.resize(std::min(content.size(), change.offset));
  else
    put(content, change.offset, change.bytes);
}

/// A file after a power cut.
std::string remains(const LossyFile& file, Loss loss, std::mt19937_64& random) {
  std::string content = file.kept;
  const std::size_t count = file.changes.size();
  const std::size_t later = loss == Loss::Later ? random() % (count + 1) : count;
  for (std::size_t i = 0; i < later && loss != Loss::Everything; ++i) {
    const bool survives = loss == Loss::Nothing || loss == Loss::Later || random() % 2 == 0;
    if (!survives) continue;
    LossyFile::Change change = file.changes[i];
    const bool is_torn = loss == Loss::Torn && !change.truncates && random() % 4 == 0;
    if (is_torn) {
      const std::size_t good = random() % (change.bytes.size() + 1);
      if (random() % 2 == 0) {
        change.bytes.resize(good);
      } else {
        for (std::size_t at = good; at < change.bytes.size(); ++at)
          change.bytes[at] = static_cast<char>(random());
      }
    }
    make_change(content, change);
  }
  return content;
}

}  // namespace

void LossyFile::write(std::size_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), kSector - offset % kSector);
    put(seen, offset, bytes.substr(0, part));
    changes.push_back({.offset = offset, .bytes = std::string(bytes.substr(0, part))});
    offset += part;
    bytes.remove_prefix(part);
  }
}

void LossyFile::truncate(std::size_t size) {
  seen.resize(std::min(seen.size(), size));
  changes.push_back({.truncates = true, .offset = size});
}

void LossyFile::sync() {
  for (const Change& change : changes)
    make_change(kept, change);
  changes.clear();
}

int DiskState::find(const std::string& name) const {
  const auto found = names.find(name);
  return found == names.end() ? -1 : found->second;
}

int DiskState::make(const std::string& name) {
  const int file = next_file++;
  files[file] = {};
  names[name] = file;
  name_changes.emplace_back(name, file);
  return file;
}

void DiskState::remove(const std::string& name) {
  if (names.erase(name) != 0) name_changes.emplace_back(name, -1);
}

void DiskState::sync_names() {
  kept_names = names;
  name_changes.clear();
}

Medium DiskState::after_power_cut(Loss loss, std::mt19937_64& random) const {
  std::map<std::string, int> left = kept_names;
  std::size_t done = name_changes.size();
  if (loss == Loss::Everything) done = 0;
  // A journal keeps names in order.
  if (loss != Loss::Everything && loss != Loss::Nothing) done = random() % (done + 1);
  for (std::size_t i = 0; i < done; ++i) {
    const auto& [name, file] = name_changes[i];
    if (file < 0)
      left.erase(name);
    else
      left[name] = file;
  }
  Medium medium;
  for (const auto& [name, file] : left)
    medium[name] = remains(files.at(file), loss, random);
  return medium;
}

LossyDisk::What LossyDisk::write_call() {
  if (before_change) before_change();
  const std::uint64_t call = writes_++;
  const bool is_kind = failure_.what == What::Write || failure_.what == What::NoSpace;
  return is_kind && strikes(call) ? failure_.what : What::None;
}

bool LossyDisk::sync_fails() {
  if (before_change) before_change();
  const std::uint64_t call = syncs_++;
  return failure_.what == What::Sync && strikes(call);
}

LossyDisk::What LossyDisk::read_call() {
  const std::uint64_t call = reads_++;
  const bool is_kind = failure_.what == What::Read || failure_.what == What::ShortRead;
  return is_kind && strikes(call) ? failure_.what : What::None;
}

bool LossyDisk::strikes(std::uint64_t call) noexcept {
  const bool does = call == failure_.at || (failure_.goes_on && call > failure_.at);
  has_failed_ = has_failed_ || does;
  return does;
}

/// A failed sync may have written any of it, and the rest will not be tried again.
void LossyDisk::lose_changes(LossyFile& file) {
  for (const LossyFile::Change& change : file.changes)
    if (random_() % 4 == 0) make_change(file.kept, change);
  file.changes.clear();
}

std::uint64_t LossyDisk::free_bytes() const {
  if (capacity_ == 0) return std::uint64_t{1} << 40;
  std::uint64_t used = others_;
  for (const auto& [name, file] : state_.names)
    used += state_.files.at(file).seen.size();
  return used < capacity_ ? capacity_ - used : 0;
}

bool LossyDisk::has_room(int file, std::size_t size) const {
  const std::size_t now = state_.files.at(file).seen.size();
  return size <= now || size - now <= free_bytes();
}

void LossyDisk::damage(const std::string& name, std::size_t offset, std::string_view bytes) {
  LossyFile& file = state_.files.at(state_.find(name));
  put(file.seen, offset, bytes);
  put(file.kept, offset, bytes);
}

/// The store's side of it.
class LossyFolder final : public Disk {
 public:
  explicit LossyFolder(LossyDisk& disk) : disk_(disk) {}

  const char* vfs() const noexcept override { return disk_.vfs_name(); }
  std::string path(std::string_view name) const override { return std::string(name); }
  Result<void> lock() override { return {}; }

  Result<void> create(std::string_view name) override {
    if (exists(name)) return {};
    if (auto ready = change(); !ready) return ready;
    disk_.state_.make(std::string(name));
    if (disk_.sync_fails()) return Error{"cannot sync"};
    disk_.state_.sync_names();
    return {};
  }
  bool exists(std::string_view name) const override {
    return disk_.state_.find(std::string(name)) >= 0;
  }
  int count(std::string_view beginning) const override {
    const auto& names = disk_.state_.names;
    return static_cast<int>(std::count_if(names.begin(), names.end(), [&](const auto& entry) {
      return entry.first.starts_with(beginning);
    }));
  }
  Result<void> rename(std::string_view from, std::string_view to) override {
    const int file = disk_.state_.find(std::string(from));
    if (file < 0) return {};
    if (auto ready = change(); !ready) return ready;
    disk_.state_.remove(std::string(from));
    disk_.state_.names[std::string(to)] = file;
    disk_.state_.name_changes.emplace_back(to, file);
    if (disk_.sync_fails()) return Error{"cannot sync"};
    disk_.state_.sync_names();
    return {};
  }
  Result<void> rewrite(std::string_view name) override {
    const std::string fresh = std::string(name) + ".new";
    remove(fresh);
    if (size(name) == 0) return {};
    const int file = disk_.state_.find(std::string(name));
    if (size(name) > disk_.free_bytes()) return copy(file, file);
    if (auto ready = change(); !ready) return ready;
    if (auto copied = copy(file, disk_.state_.make(fresh)); !copied) return copied;
    return rename(fresh, name);
  }
  Result<void> allocate(std::string_view name, std::uint64_t bytes) override {
    if (auto ready = change(); !ready) return ready;
    if (bytes > disk_.free_bytes()) return Error{"no space"};
    const int file = disk_.state_.make(std::string(name));
    if (disk_.sync_fails()) {
      remove(name);
      return Error{"cannot sync"};
    }
    LossyFile& made = disk_.state_.files[file];
    made.seen.assign(bytes, '\0');
    made.kept = made.seen;
    disk_.state_.sync_names();
    return {};
  }
  void remove(std::string_view name) override {
    if (exists(name) && change()) disk_.state_.remove(std::string(name));
  }
  std::uint64_t size(std::string_view name) const override {
    const int file = disk_.state_.find(std::string(name));
    return file < 0 ? 0 : disk_.state_.files.at(file).seen.size();
  }
  std::uint64_t free_bytes() const override { return disk_.free_bytes(); }

 private:
  Result<void> copy(int from, int to) {
    const std::string content = disk_.state_.files.at(from).seen;
    LossyFile& file = disk_.state_.files.at(to);
    for (std::size_t at = 0; at < content.size(); at += 65536) {
      if (auto ready = change(); !ready) return ready;
      file.write(at, content.substr(at, 65536));
    }
    if (disk_.sync_fails()) {
      disk_.lose_changes(file);
      return Error{"cannot sync"};
    }
    file.sync();
    return {};
  }
  Result<void> change() {
    if (disk_.write_call() != Failure::What::None) return Error{"cannot write"};
    return {};
  }

  LossyDisk& disk_;
};

std::unique_ptr<Disk> LossyDisk::disk() {
  return std::make_unique<LossyFolder>(*this);
}

}  // namespace sluice::queue
