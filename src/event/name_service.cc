#include "event/name_service.h"

#include <uv.h>

namespace sluice::event {

void Lookup::answer(Result<Addresses> answer) noexcept {
  const std::lock_guard lock(mutex_);
  if (answered_ == nullptr) return;
  answer_ = std::move(answer);
  uv_async_send(answered_);  // under the lock, so that drop() cannot close it meanwhile
}

Result<Addresses> Lookup::take() noexcept {
  const std::lock_guard lock(mutex_);
  return std::move(answer_);
}

void Lookup::drop() noexcept {
  const std::lock_guard lock(mutex_);
  answered_ = nullptr;
}

}  // namespace sluice::event
