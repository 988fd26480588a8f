// The door to SQLite: a connection and its statements, without SQLite's names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "queue/batch.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sluice::queue {

/// What naming a lane that does not exist comes to, or adding one too many.
constexpr int kNoSuchLane = 21;
/// A statement that names no such table, among others.
constexpr int kSqlError = 1;

/// One of SQLite's result codes, by what is to be done about it.
Trouble trouble_of(int code) noexcept;

/// A prepared statement. Text and blobs are bound without a copy: they have to live until reset().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* raw) noexcept : raw_(raw) {}

  explicit operator bool() const noexcept { return raw_ != nullptr; }
  /// Binds the next parameter, counted from the last reset().
  Statement& bind(std::int64_t value) noexcept;
  Statement& bind_text(std::string_view text) noexcept;
  Statement& bind_blob(std::string_view bytes) noexcept;

  /// True: there is a row to read. False: done, or code() says why not.
  bool step() noexcept;
  /// Steps to the end and resets; returns the result code, 0 if all is well.
  int run() noexcept;
  /// The same after a first step().
  int finish() noexcept;
  void reset() noexcept;
  int code() const noexcept { return code_; }

  std::int64_t integer(int column) const noexcept;
  /// Valid until the next step() or reset().
  std::string_view bytes(int column) const noexcept;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* raw) const noexcept;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> raw_;
  int next_ = 1;
  int code_ = 0;
};

/// One connection. Used by one thread at a time. Functions that return int return SQLite's code,
/// 0 if all is well; error() then has its words. Destroying it syncs and moves nothing.
class Database {
 public:
  /// `vfs` may be null. Failure: code() is not 0, and the object is good for error() only.
  Database(const std::string& path, const char* vfs);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  int code() const noexcept { return code_; }
  std::string error() const;

  int run(const char* sql) noexcept;
  /// An empty statement on an error.
  Statement prepare(std::string_view sql);
  /// The first column of the first row; an error is kept in `code`.
  std::int64_t integer(std::string_view sql, int& code);
  std::string text(std::string_view sql, int& code);

  /// Of the last call.
  int last_code() const noexcept;
  /// Rows changed by the last INSERT, UPDATE or DELETE.
  std::int64_t changes() const noexcept;
  bool in_transaction() const noexcept;

  /// Copies the log into the file, as far as it goes, and syncs; `truncate`: empties the log, too.
  int checkpoint(bool truncate) noexcept;
  /// Pages in the log that are not in the file yet, since the last commit or checkpoint.
  int log_pages() const noexcept { return log_pages_; }
  /// What the log held when it was opened, at most.
  void set_log_pages(int pages) noexcept { log_pages_ = pages; }

 private:
  static int on_commit(void* self, sqlite3*, const char*, int pages) noexcept;

  sqlite3* raw_ = nullptr;
  int code_ = 0;
  int log_pages_ = 0;
};

}  // namespace sluice::queue
