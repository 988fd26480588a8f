#include "event/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>

namespace sluice::event {
namespace {

/// An earlier error of another connection would be taken for this one's.
void forget_errors() noexcept {
  ERR_clear_error();
  errno = 0;
}

}  // namespace

TlsStream::TlsStream(void* ssl) noexcept : ssl_(static_cast<SSL*>(ssl)) {
  // (The functions' own macros hide C casts, hence SSL_ctrl.)
  SSL_ctrl(ssl_, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER,
           nullptr);
  // Many small records in one system call, instead of two calls for each.
  SSL_set_read_ahead(ssl_, 1);
}

bool TlsStream::is_handshaking() const noexcept {
  return SSL_is_init_finished(ssl_) == 0;
}

Transfer TlsStream::handshake() noexcept {
  forget_errors();
  const int result = SSL_do_handshake(ssl_);
  return result == 1 ? Transfer{} : stopped(result, 0);
}

Transfer TlsStream::read(std::span<char> to) noexcept {
  std::size_t moved = 0;
  while (moved < to.size()) {
    forget_errors();
    std::size_t count = 0;
    const int result = SSL_read_ex(ssl_, to.data() + moved, to.size() - moved, &count);
    if (result != 1) return stopped(result, moved);
    moved += count;
  }
  return {.state = Transfer::State::Done, .bytes = moved};
}

bool TlsStream::has_unread() const noexcept {
  return SSL_has_pending(ssl_) == 1;
}

Transfer TlsStream::write(std::string_view bytes) noexcept {
  std::size_t moved = 0;
  while (moved < bytes.size()) {
    forget_errors();
    std::size_t count = 0;
    const int result = SSL_write_ex(ssl_, bytes.data() + moved, bytes.size() - moved, &count);
    if (result != 1) return stopped(result, moved);
    moved += count;
  }
  return {.state = Transfer::State::Done, .bytes = moved};
}

void TlsStream::close_notify() noexcept {
  forget_errors();
  SSL_shutdown(ssl_);
}

Transfer TlsStream::stopped(int result, std::size_t moved) const noexcept {
  const int error = errno;
  Transfer transfer{.state = Transfer::State::Failed, .bytes = moved};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      transfer.state = Transfer::State::WaitsReadable;
      break;
    case SSL_ERROR_WANT_WRITE:
      transfer.state = Transfer::State::WaitsWritable;
      break;
    case SSL_ERROR_ZERO_RETURN:
      transfer.state = Transfer::State::Ended;
      break;
    case SSL_ERROR_SYSCALL:
      transfer.error = error;
      if (error == 0) transfer.state = Transfer::State::Ended;
      break;
    default:
      const unsigned long code = ERR_peek_error();
      // Many peers close without a close_notify.
      if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        transfer.state = Transfer::State::Ended;
      } else if (const char* reason = ERR_reason_error_string(code)) {
        transfer.text = reason;
      }
  }
  return transfer;
}

}  // namespace sluice::event
