#include "queue/database.h"

#include <sqlite3.h>

namespace sluice::queue {
namespace {

/// Of an extended result code.
int primary(int code) noexcept {
  return code & 0xff;
}

/// SQLite takes a null pointer for NULL, also where the length is 0.
const char* not_null(std::string_view text) noexcept {
  return text.data() == nullptr ? "" : text.data();
}

}  // namespace

static_assert(kNoSuchLane == SQLITE_MISUSE && kSqlError == SQLITE_ERROR);

const char* to_string(Trouble trouble) noexcept {
  switch (trouble) {
    case Trouble::None:
      return "none";
    case Trouble::DiskFull:
      return "disk full";
    case Trouble::IoError:
      return "I/O error";
    case Trouble::Corrupt:
      return "corrupt";
    case Trouble::NewerSchema:
      return "newer schema";
    case Trouble::InUse:
      return "in use";
    case Trouble::Misuse:
      return "misuse";
  }
  return "?";
}

Trouble trouble_of(int code) noexcept {
  switch (primary(code)) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return Trouble::None;
    case SQLITE_FULL:
      return Trouble::DiskFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Trouble::Corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Trouble::InUse;
    case SQLITE_MISUSE:
      return Trouble::Misuse;
    default:
      // A read-only file system, a missing permission or no memory: as with a failing disk, what
      // helps is to close and to try again later.
      return Trouble::IoError;
  }
}

void Statement::Finalize::operator()(sqlite3_stmt* raw) const noexcept {
  sqlite3_finalize(raw);
}

Statement& Statement::bind(std::int64_t value) noexcept {
  sqlite3_bind_int64(raw_.get(), next_++, value);
  return *this;
}

Statement& Statement::bind_text(std::string_view text) noexcept {
  sqlite3_bind_text(raw_.get(), next_++, not_null(text), static_cast<int>(text.size()),
                    SQLITE_STATIC);
  return *this;
}

Statement& Statement::bind_blob(std::string_view bytes) noexcept {
  sqlite3_bind_blob64(raw_.get(), next_++, not_null(bytes), bytes.size(), SQLITE_STATIC);
  return *this;
}

bool Statement::step() noexcept {
  const int code = sqlite3_step(raw_.get());
  code_ = code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
  return code == SQLITE_ROW;
}

int Statement::run() noexcept {
  step();
  return finish();
}

int Statement::finish() noexcept {
  // A step that failed is not repeated: it would begin again.
  for (bool more = code_ == SQLITE_OK && sqlite3_stmt_busy(raw_.get()) != 0; more;)
    more = step();
  reset();
  return code_;
}

void Statement::reset() noexcept {
  sqlite3_reset(raw_.get());
  next_ = 1;
}

std::int64_t Statement::integer(int column) const noexcept {
  return sqlite3_column_int64(raw_.get(), column);
}

std::string_view Statement::bytes(int column) const noexcept {
  const auto* from = static_cast<const char*>(sqlite3_column_blob(raw_.get(), column));
  if (from == nullptr) return {};
  return {from, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column))};
}

Database::Database(const std::string& path, const char* vfs) {
  // One thread at a time: no locks within SQLite.
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  code_ = sqlite3_open_v2(path.c_str(), &raw_, kFlags, vfs);
  if (code_ != SQLITE_OK) return;
  sqlite3_extended_result_codes(raw_, 1);
  // Closing a handle that failed must touch nothing; one that is well has been checkpointed.
  sqlite3_db_config(raw_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(raw_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // In the place of automatic checkpoints, which keep their errors to themselves.
  sqlite3_wal_hook(raw_, &Database::on_commit, this);
}

Database::~Database() {
  sqlite3_close_v2(raw_);
}

std::string Database::error() const {
  return raw_ == nullptr ? "out of memory" : sqlite3_errmsg(raw_);
}

int Database::run(const char* sql) noexcept {
  return sqlite3_exec(raw_, sql, nullptr, nullptr, nullptr);
}

Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(raw_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                     &statement, nullptr);
  return Statement(statement);
}

std::int64_t Database::integer(std::string_view sql, int& code) {
  Statement statement = prepare(sql);
  const bool found = statement && statement.step();
  code = last_code();
  return found ? statement.integer(0) : 0;
}

std::string Database::text(std::string_view sql, int& code) {
  Statement statement = prepare(sql);
  const bool found = statement && statement.step();
  code = last_code();
  return found ? std::string(statement.bytes(0)) : std::string();
}

int Database::last_code() const noexcept {
  const int code = sqlite3_extended_errcode(raw_);
  return trouble_of(code) == Trouble::None ? SQLITE_OK : code;
}

std::int64_t Database::changes() const noexcept {
  return sqlite3_changes64(raw_);
}

bool Database::in_transaction() const noexcept {
  return sqlite3_get_autocommit(raw_) == 0;
}

int Database::checkpoint(bool truncate) noexcept {
  const int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(raw_, nullptr, mode, nullptr, nullptr);
  if (code == SQLITE_OK) log_pages_ = 0;
  return code;
}

int Database::on_commit(void* self, sqlite3*, const char*, int pages) noexcept {
  static_cast<Database*>(self)->log_pages_ = pages;
  return SQLITE_OK;
}

}  // namespace sluice::queue
